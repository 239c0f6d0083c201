"""The adapter to Mistral's SDK: what comes back is the turn as it was sent, and every failure has its name."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.validation import Rules, request_checker
from gateway.domain.turn import ModelRequest, ModelTrouble
from gateway.runner.model import MistralModel
from gateway.store.session import Database
from gateway.usecases import turns
from tests.factories import call, completion, load_approvals, load_turn, make_gateway, submit, transcript
from tests.fakes import RecordingTool
from tests.runner.wire import Reply, closed_port, cut_reply, reply, serving

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "data" / "mistral_wire"
recorded = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the recorded traffic is not here: ../shared/data/mistral_wire beside the project"
)
REQUEST = ModelRequest(model="m", agent_id=None, messages=[{"role": "user", "content": "Hi"}], tools=[])


def ask(given: Reply, *, timeout_s: float = 5.0, request: ModelRequest = REQUEST) -> Any:
    with serving(given) as wire:
        model = MistralModel(api_key="k", server_url=wire.url, timeout_s=timeout_s)
        try:
            return model.complete(request)
        finally:
            model.close()


def trouble(given: Reply, *, timeout_s: float = 5.0, request: ModelRequest = REQUEST) -> ModelTrouble:
    with pytest.raises(ModelTrouble) as caught:
        ask(given, timeout_s=timeout_s, request=request)
    return caught.value


def exchanges() -> list[Any]:
    """Every recorded plain completion: its name, its request and its answer."""
    if not RECORDINGS.is_dir():
        return []
    found = []
    for path in sorted(RECORDINGS.glob("*.json")):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and "choices" in (content["response"].get("json") or {}):
            found.append(pytest.param(content["request"]["json"], content["response"]["json"], id=path.stem))
    return found


@recorded
def test_there_are_recorded_completions() -> None:
    assert len(exchanges()) >= 30


@recorded
@pytest.mark.parametrize(("request_body", "response"), exchanges())
def test_recorded_answer_is_stored_and_rebuilt_without_loss(
    sqlite_database: Database, request_body: dict[str, Any] | None, response: dict[str, Any]
) -> None:
    received = response["choices"][0]["message"]
    calls = received.get("tool_calls") or []
    tools = [RecordingTool(name) for name in {one["function"]["name"] for one in calls}]
    gateway = make_gateway(sqlite_database, *tools)
    messages = tuple((one["role"], json.dumps(one)) for one in (request_body or {}).get("messages", REQUEST.messages))
    job = submit(gateway, messages=messages).job
    claim = turns.claim_turn(gateway, job.id)
    assert claim is not None
    body = json.dumps(response)

    answer = ask(reply(body))
    turns.record_answer(gateway, claim, answer)

    assert load_turn(gateway, job.id).response == body
    assert load_turn(gateway, job.id).finish_reason == response["choices"][0]["finish_reason"]
    expected: dict[str, Any] = {"role": "assistant", "content": received["content"] or ""}
    if calls:
        functions = [{name: one["function"][name] for name in ("name", "arguments")} for one in calls]
        given_ids = [one["id"] for one in calls]
        stored = transcript(gateway, job.id)[-1]["tool_calls"]
        ids = [one["id"] for one in stored]
        assert [new == old or old == "null" for new, old in zip(ids, given_ids, strict=True)] == [True] * len(ids)
        expected["tool_calls"] = [
            {"id": call_id, "type": "function", "function": function}
            for call_id, function in zip(ids, functions, strict=True)
        ]
        assert [one.details for one in load_approvals(gateway, job.id)] == [one["arguments"] for one in functions]
    assert transcript(gateway, job.id)[-1] == expected
    assert [json.loads(text) for _, text in messages] == transcript(gateway, job.id)[:-1]


@recorded
@pytest.mark.parametrize(("request_body", "response"), exchanges())
def test_recorded_turn_may_be_sent_back(request_body: dict[str, Any] | None, response: dict[str, Any]) -> None:
    answer = ask(reply(json.dumps(response)))
    results = [
        {"role": "tool", "tool_call_id": one.id, "name": one.name, "content": "done"} for one in answer.calls
    ] or [{"role": "user", "content": "And then?"}]
    messages = [REQUEST.messages[0], answer.message, *results]
    request = ModelRequest(model="m", agent_id=None, messages=messages, tools=[])

    with serving(reply(completion(text="Bye."))) as wire:
        model = MistralModel(api_key="k", server_url=wire.url, timeout_s=5)
        assert model.complete(request).text == "Bye."
        model.close()

    [sent] = [json.loads(body) for body in wire.requests]
    check = request_checker(Rules(ids_have_nine_characters=False))
    check(sent, False)
    assert sent["messages"][1]["content"] == answer.message["content"]
    for sent_call, own in zip(sent["messages"][1].get("tool_calls", []), answer.calls, strict=True):
        assert sent_call["function"] == {"name": own.name, "arguments": own.arguments}


def reported() -> list[Any]:
    if not RECORDINGS.is_dir():
        return []
    errors = json.loads((RECORDINGS / "errors_reported.json").read_text())
    return [pytest.param(one["status"], one["body"], id=f"{one['status']}-{n}") for n, one in enumerate(errors)]


@recorded
@pytest.mark.parametrize(("status", "body"), reported())
def test_reported_error_has_its_code_and_says_whether_trying_again_helps(status: int, body: str) -> None:
    error = trouble(reply(body, status=status))

    code = {401: "model_unauthorized", 400: "model_refused", 422: "model_refused", 429: "model_rate_limited"}[status]
    assert (error.code, error.is_permanent) == (code, status != 429)
    assert str(status) in error.message
    assert len(error.message) < 600


@pytest.mark.parametrize(
    ("status", "code", "is_permanent"),
    [
        (403, "model_unauthorized", True),
        (404, "model_refused", True),
        (408, "model_unavailable", False),
        (409, "model_unavailable", False),
        (500, "model_unavailable", False),
        (502, "model_unavailable", False),
        (503, "model_unavailable", False),
        (504, "model_unavailable", False),
        (529, "model_unavailable", False),
    ],
)
def test_other_statuses(status: int, code: str, is_permanent: bool) -> None:
    bodies = ["", "[]", '{"message": null}', '{"message": "\\ud800\\u0000"}', '{"message": "' + "x" * 10_000 + '"}']
    page = reply("<html>Bad gateway</html>", status=status, content_type="text/html")
    replies = [page, *(reply(body, status=status) for body in bodies)]

    with serving(*replies) as wire:
        model = MistralModel(api_key="k", server_url=wire.url, timeout_s=5)
        for _ in replies:
            with pytest.raises(ModelTrouble) as caught:
                model.complete(REQUEST)
            assert (caught.value.code, caught.value.is_permanent) == (code, is_permanent)
            assert len(caught.value.message.encode()) < 600
            assert "\x00" not in caught.value.message
        model.close()


@pytest.mark.parametrize("status", [401, 422, 429, 503])
def test_words_of_the_server_are_told_apart_from_the_reason_that_may_be_logged(status: int) -> None:
    body = '{"detail": [{"msg": "Input should be a string", "input": "card 4111"}]}'

    error = trouble(reply(body, status=status))

    assert error.reason == f"Mistral answered {status}."
    assert error.message.startswith(f"Mistral answered {status}: ")
    assert "card 4111" in error.message


def test_retry_after_is_passed_on() -> None:
    assert trouble(reply("{}", status=429, headers={"Retry-After": "7.5"})).retry_after_s == 7.5
    assert trouble(reply("{}", status=429, headers={"Retry-After": "Wed, 21 Oct"})).retry_after_s is None
    assert trouble(reply("{}", status=503)).retry_after_s is None


def test_retry_after_may_be_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    asked_s = trouble(reply("{}", status=429, headers={"Retry-After": in_a_minute})).retry_after_s

    assert asked_s is not None
    assert 50 < asked_s <= 60
    past = trouble(reply("{}", status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}))
    assert past.retry_after_s == 0.0


GOOD = completion(call("send", '{"a": 1}'))


@pytest.mark.parametrize(
    "given",
    [
        Reply(b""),
        Reply(b"", is_reset=True),
        Reply(b"HTTP/1.1 200"),
        Reply(b"not HTTP at all\r\n\r\n"),
        cut_reply(GOOD[:100], declared=len(GOOD)),
        cut_reply(GOOD[:100], declared=len(GOOD), is_reset=True),
        cut_reply(GOOD, declared=len(GOOD) + 1),
        Reply(reply(GOOD).raw, delay_s=1.0),
    ],
    ids=["closed", "reset", "cut head", "no HTTP", "cut body", "reset in body", "one byte short", "time-out"],
)
def test_broken_connection_may_be_tried_again(given: Reply) -> None:
    error = trouble(given, timeout_s=0.3)

    assert (error.code, error.is_permanent) == ("model_unavailable", False)


def test_refused_connection_may_be_tried_again() -> None:
    model = MistralModel(api_key="k", server_url=closed_port(), timeout_s=1)

    with pytest.raises(ModelTrouble) as caught:
        model.complete(REQUEST)

    assert (caught.value.code, caught.value.is_permanent) == ("model_unavailable", False)


@pytest.mark.parametrize(
    "given",
    [
        cut_reply(GOOD[:-20], declared=None),
        reply(""),
        reply("{}"),
        reply("[]"),
        reply("null"),
        reply('{"choices": []}'),
        reply('{"choices": [{"message": null}]}'),
        reply('{"choices": [{"message": {"role": "assistant", "content": 7}}]}'),
        reply(GOOD.replace('"send"', "null")),
        reply("<html>Welcome</html>", content_type="text/html"),
        reply(b"\xff\xfe"),
        reply("[" * 100_000),
    ],
    ids=[
        "cut without a length", "empty", "no choices", "list", "null", "no choice", "no message", "content",
        "call without a name", "a page", "no text", "deep",
    ],
)  # fmt: skip
def test_answer_that_cannot_be_read_may_be_tried_again(given: Reply) -> None:
    error = trouble(given)

    assert (error.code, error.is_permanent) == ("model_bad_answer", False)


@pytest.mark.parametrize(
    "odd",
    [
        {"content": None},
        {"content": [{"type": "text", "text": "Hi"}, {"type": "never_seen", "x": 1}]},
        {"content": "Hi", "reasoning_content": "hm", "prefix": False, "x": [1]},
        {"content": "Hi", "tool_calls": None},
        {"content": "Hi", "tool_calls": []},
    ],
)
def test_what_only_the_sdk_minds_is_no_trouble(odd: dict[str, Any]) -> None:
    body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", **odd}, "finish_reason": "new_one"}]})

    answer = ask(reply(body))

    assert (answer.finish_reason, answer.calls) == ("new_one", ())
    assert answer.message == {"role": "assistant", "content": odd["content"] or ""}
    assert answer.text == ("Hi" if odd["content"] else "")


def test_exact_text_of_arguments_survives_the_sdk() -> None:
    text = '{ "amount" : 249.00,\n"id":12345678901234567890, "s":"\\u00e9é😀", "a":1, "a":2 }'

    answer = ask(reply(completion(call("send", text, id="x"))))

    assert [(one.id, one.name, one.arguments, one.is_text) for one in answer.calls] == [("x", "send", text, True)]
    assert answer.message["tool_calls"][0]["function"]["arguments"] == text


def test_request_that_does_not_fit_the_api_is_refused_for_good() -> None:
    for request in (
        ModelRequest(model="m", agent_id=None, messages=[{"role": "robot", "content": "x"}], tools=[]),
        ModelRequest(model="m", agent_id=None, messages=REQUEST.messages, tools=[], options={"no_such_option": 1}),
    ):
        error = trouble(reply(GOOD), request=request)
        assert (error.code, error.is_permanent) == ("model_refused", True)


def test_missing_key_is_refused_without_a_call() -> None:
    model = MistralModel(api_key=None, server_url=None, timeout_s=1)

    with pytest.raises(ModelTrouble) as caught:
        model.complete(REQUEST)

    assert (caught.value.code, caught.value.is_permanent) == ("model_unauthorized", True)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_address_is_taken_with_and_without_version(suffix: str) -> None:
    with serving(reply(GOOD)) as wire:
        model = MistralModel(api_key=None, server_url=wire.url + suffix, timeout_s=5)
        assert model.complete(REQUEST).calls[0].name == "send"
        model.close()


def test_agent_and_options_are_sent_as_they_are() -> None:
    tool = RecordingTool().definition.for_model()
    options = {"temperature": 0.5, "tool_choice": "any", "parallel_tool_calls": False, "max_tokens": 7}
    with serving(reply(GOOD)) as wire:
        model = MistralModel(api_key="k", server_url=wire.url, timeout_s=5)
        model.complete(ModelRequest(model="m", agent_id=None, messages=REQUEST.messages, tools=[tool], options=options))
        del options["temperature"]  # an agent has its own
        model.complete(
            ModelRequest(model=None, agent_id="ag", messages=REQUEST.messages, tools=[tool], options=options)
        )
        model.close()

    chat, agent = (json.loads(body) for body in wire.requests)
    assert (chat["model"], chat["temperature"], chat["tool_choice"], chat["max_tokens"]) == ("m", 0.5, "any", 7)
    assert chat["messages"] == REQUEST.messages
    assert [one["function"]["name"] for one in chat["tools"]] == ["send"]
    assert (agent["agent_id"], agent["parallel_tool_calls"], "model" in agent) == ("ag", False, False)
