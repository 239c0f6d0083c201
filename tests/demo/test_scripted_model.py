"""The scripted model over HTTP, asked by Mistral's own SDK."""

import json
import time

import httpx2
import pytest
from mistralai.client import Mistral, errors, models
from mistralai.client.utils import BackoffStrategy, RetryConfig
from pydantic import JsonValue

from gateway.demo.script import Conversation, Script, ScriptedCall, Turn
from gateway.demo.scripted_model import create_app
from gateway.demo.validation import Rules

PROMPT = [{"role": "user", "content": "Refund ord_1042"}]
TWO_CALLS = Turn(
    content="Both at once.",
    tool_calls=[
        ScriptedCall(name="issue_refund", arguments='{"amount":  249.00, "order": "ü"}'),
        ScriptedCall(name="send_email", arguments="{not json"),
    ],
)
CLOSING = Turn(content="Refund: {result:1}. Mail: {result:2}.")


def says(*turns, **more):
    return Script(conversations=[Conversation(turns=turns)], **more)


def complete(client: Mistral, messages, **more):
    return client.chat.complete(model="mistral-small-latest", messages=messages, **more)


def streamed(client: Mistral, messages):
    with client.chat.stream(model="mistral-small-latest", messages=messages) as events:
        return [event.data for event in events]


def test_plain_answer_has_mistrals_form(start, connect):
    response = complete(connect(start(says(Turn(content="Hello there.")))), PROMPT)

    choice = response.choices[0]
    assert choice.message.content == "Hello there."
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    assert response.model == "mistral-small-latest"
    assert response.object == "chat.completion"
    assert len(response.id) == 32
    assert abs(response.created - time.time()) < 60
    assert response.usage.prompt_tokens > 0
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens


def test_parallel_calls_keep_their_bytes_and_their_results_come_back_in_words(start, connect):
    model = start(says(TWO_CALLS, CLOSING))
    client = connect(model)

    message = complete(client, PROMPT).choices[0].message

    first, second = message.tool_calls
    assert message.content == "Both at once."
    assert first.function.arguments == '{"amount":  249.00, "order": "ü"}'
    assert second.function.arguments == "{not json"
    assert (first.index, second.index) == (0, 1)
    results = [
        models.ToolMessage(tool_call_id=second.id, content="Action rejected: no mail"),
        models.ToolMessage(tool_call_id=first.id, content="done"),
    ]
    closing = complete(client, [*PROMPT, message, *results])
    assert closing.choices[0].message.content == "Refund: done. Mail: Action rejected: no mail."
    assert [len(body["messages"]) for body in model.requests] == [1, 4]


def test_stream_says_the_same_as_the_plain_answer(start, connect):
    client = connect(start(says(TWO_CALLS)))
    plain = complete(client, PROMPT)

    chunks = streamed(client, PROMPT)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "Both at once."
    last = chunks[-1]
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert last.choices[0].finish_reason == "tool_calls"
    assert last.choices[0].delta.tool_calls == plain.choices[0].message.tool_calls
    assert last.usage == plain.usage
    assert {chunk.id for chunk in chunks} == {plain.id}


def test_fragments_add_up_to_the_calls(start, connect):
    client = connect(start(says(TWO_CALLS.model_copy(update={"fragments": True}))))

    chunks = streamed(client, PROMPT)

    arguments = {0: "", 1: ""}
    for chunk in chunks:
        for call in chunk.choices[0].delta.tool_calls or []:
            arguments[call.index] += call.function.arguments
    assert arguments == {0: '{"amount":  249.00, "order": "ü"}', 1: "{not json"}
    assert len(chunks) > 5
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_answer_is_the_same_after_a_restart(start, connect):
    first, second = (complete(connect(start(says(TWO_CALLS))), PROMPT) for _ in range(2))

    assert first.choices == second.choices
    assert first.id == second.id


def test_agents_route_answers_for_the_agent(start, connect):
    model = start(says(Turn(content="As an agent.")))

    response = connect(model).agents.complete(agent_id="ag_42", messages=PROMPT)

    assert response.choices[0].message.content == "As an agent."
    assert response.model == "ag_42"
    assert model.requests[0]["agent_id"] == "ag_42"


def test_unknown_prompt_gets_the_default_answer(start, connect):
    script = Script(
        conversations=[Conversation(when="sing", turns=[Turn(content="la")])], default_answer="I do not know."
    )

    assert complete(connect(start(script)), PROMPT).choices[0].message.content == "I do not know."


def test_models_are_listed_and_others_refused(start, connect):
    client = connect(start(says(Turn(content="x"), models=["mistral-small-latest"])))

    assert [card.id for card in client.models.list().data] == ["mistral-small-latest"]
    with pytest.raises(errors.SDKError) as caught:
        client.chat.complete(model="mistral-huge", messages=PROMPT)
    body = json.loads(caught.value.body)
    assert caught.value.status_code == 400
    assert (body["message"], body["type"], body["code"]) == ("Invalid model: mistral-huge", "invalid_model", "1500")


def test_wrong_key_is_refused(start, connect):
    model = start(says(Turn(content="x")), api_key="right-key")

    assert complete(connect(model, "right-key"), PROMPT).choices[0].message.content == "x"
    with pytest.raises(errors.SDKError) as caught:
        complete(connect(model, "wrong-key"), PROMPT)
    assert caught.value.status_code == 401
    assert json.loads(caught.value.body) == {"detail": "Invalid API Key"}
    assert len(model.requests) == 1


def test_missing_key_is_refused(start):
    answer = httpx2.post(start(says()).url + "/v1/chat/completions", json={})

    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid API Key"})


def test_missing_tool_result_is_refused(start, connect):
    client = connect(start(says(TWO_CALLS, CLOSING)))
    message = complete(client, PROMPT).choices[0].message
    only_one = models.ToolMessage(tool_call_id=message.tool_calls[0].id, content="done")

    with pytest.raises(errors.SDKError) as caught:
        complete(client, [*PROMPT, message, only_one])

    assert caught.value.status_code == 400
    assert json.loads(caught.value.body)["message"] == "Not the same number of function calls and responses"


def test_extra_key_is_refused_over_http(start):
    body = {"model": "m", "messages": PROMPT, "max_completion_tokens": 5}

    answer = httpx2.post(start(says()).url + "/v1/chat/completions", json=body, headers={"Authorization": "Bearer k"})

    assert answer.status_code == 422
    assert answer.json()["message"]["detail"][0]["loc"] == ["body", "max_completion_tokens"]


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b'{"messages": 3}', b'{"messages": [3]}', b"\xff"])
@pytest.mark.parametrize("validate", [True, False])
def test_body_that_is_no_request_is_refused(start, content, validate):
    url = start(says(), validate=validate).url + "/v1/chat/completions"

    assert httpx2.post(url, content=content, headers={"Authorization": "Bearer k"}).status_code == 422


@pytest.mark.parametrize("extra", [{}, {"extra": "\ud800"}])
def test_lone_surrogates_do_not_break_the_server(start, extra):
    url = start(says(Turn(content="x"))).url + "/v1/chat/completions"
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "\ud800"}], **extra})

    answer = httpx2.post(url, content=body, headers={"Authorization": "Bearer k"})

    assert answer.status_code == (422 if extra else 200)


def test_without_validation_wrong_requests_are_answered(start):
    url = start(says(Turn(content="x")), validate=False).url + "/v1/chat/completions"

    answer = httpx2.post(url, json={"messages": [], "extra": 1}, headers={"Authorization": "Bearer k"})

    assert answer.json()["choices"][0]["message"]["content"] == "x"


def test_loose_rules_reach_the_server(start, connect):
    model = start(says(TWO_CALLS), rules=Rules(user_may_follow_tool=True))
    calls = [{"id": "abcdefgh1", "function": {"name": "x", "arguments": "{}"}}]
    messages = [
        *PROMPT,
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "abcdefgh1", "content": "x"},
        *PROMPT,
    ]

    assert complete(connect(model), messages).choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("turn", "body"),
    [
        (Turn(status=429), {"message": "Rate limit exceeded", "type": "rate_limited", "code": "1300"}),
        (Turn(status=500), {"message": "Internal Server Error", "code": None}),
        (Turn(status=401), {"detail": "Invalid API Key"}),
        (Turn(status=503, body={"message": "busy"}), {"message": "busy"}),
    ],
)
def test_scripted_error_is_answered(start, connect, turn, body):
    with pytest.raises(errors.SDKError) as caught:
        complete(connect(start(says(turn))), PROMPT)

    assert caught.value.status_code == turn.status
    assert json.loads(caught.value.body).items() >= body.items()


def test_scripted_error_may_be_any_text(start, connect):
    script = says(Turn(status=502, body="<html>Bad Gateway</html>", headers={"Retry-After": "7"}))

    with pytest.raises(errors.SDKError) as caught:
        complete(connect(start(script)), PROMPT)

    assert caught.value.body == "<html>Bad Gateway</html>"
    assert caught.value.headers["retry-after"] == "7"


def test_rate_limit_passes_after_the_scripted_times(start, connect):
    model = start(says(Turn(status=429, times=2), Turn(content="At last.")))
    quickly = RetryConfig("backoff", BackoffStrategy(1, 10, 1.5, 5_000), retry_connection_errors=False)

    response = complete(connect(model), PROMPT, retries=quickly)

    assert response.choices[0].message.content == "At last."
    assert len(model.requests) == 3


def test_cut_answer_ends_in_a_broken_connection(start, connect):
    client = connect(start(says(Turn(content="Never read in full.", cut=True, times=1), Turn(content="Whole."))))

    with pytest.raises(httpx2.RemoteProtocolError):
        complete(client, PROMPT)
    assert complete(client, PROMPT).choices[0].message.content == "Whole."


def test_cut_stream_ends_in_a_broken_connection(start, connect):
    client = connect(start(says(TWO_CALLS.model_copy(update={"cut": True}))))

    with pytest.raises((httpx2.RemoteProtocolError, errors.ResponseValidationError)):
        streamed(client, PROMPT)


def test_stream_cut_between_events_has_no_finish_reason(start, connect):
    client = connect(start(says(TWO_CALLS.model_copy(update={"cut": "between_events", "fragments": True}))))

    chunks = streamed(client, PROMPT)

    assert any(chunk.choices[0].delta.tool_calls for chunk in chunks)
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}


def test_delayed_answer_runs_into_the_clients_time_limit(start, connect):
    client = connect(start(says(Turn(content="late", delay_s=0.6))))

    with pytest.raises(httpx2.ReadTimeout):
        complete(client, PROMPT, timeout_ms=100)


def test_object_arguments_and_odd_ids_are_sent_as_scripted(start, connect):
    call = ScriptedCall(name="x", arguments={"a": 1}, arguments_as_object=True, id="chatcmpl-tool-9f14")

    (sent,) = complete(connect(start(says(Turn(tool_calls=[call], finish_reason="stop")))), PROMPT).choices

    assert sent.message.tool_calls[0].function.arguments == {"a": 1}
    assert sent.message.tool_calls[0].id == "chatcmpl-tool-9f14"
    assert sent.finish_reason == "stop"


def test_thinking_chunks_are_sent_as_scripted(start, connect):
    content: list[dict[str, JsonValue]]
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "8"}]
    client = connect(start(says(Turn(content=content), Turn(content="again"))))

    message = complete(client, PROMPT).choices[0].message

    assert [chunk.type for chunk in message.content] == ["thinking", "text"]
    assert [c.choices[0].delta.content[0].type for c in streamed(client, PROMPT)[1:]] == ["thinking", "text"]
    assert complete(client, [*PROMPT, message, *PROMPT]).choices[0].finish_reason == "stop"


def test_received_bodies_can_be_read_over_http(start, connect):
    model = start(says(Turn(content="x")))
    complete(connect(model), PROMPT, temperature=0.2)

    (body,) = httpx2.get(model.url + "/_requests").json()

    assert body["messages"] == PROMPT
    assert body["temperature"] == 0.2
    assert body["stream"] is False


def test_app_keeps_the_received_bodies_for_assertions():
    assert create_app(says()).state.requests == []


def test_unknown_address_is_not_found(start):
    answer = httpx2.get(start(says()).url + "/v1/embeddings")

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
