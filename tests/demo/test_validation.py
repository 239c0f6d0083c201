"""The checks behind the scripted model: what the live API accepted passes, what it refuses is refused the same way."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.demo.refusals import Refusal
from gateway.demo.validation import Rules, request_checker

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "data" / "mistral_wire"
needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the recorded traffic is not here: ../shared/data/mistral_wire beside the project"
)

USER = {"role": "user", "content": "Refund ord_1042"}
CALL = {"id": "abcDEF123", "type": "function", "index": 0, "function": {"name": "issue_refund", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": "", "tool_calls": [CALL], "prefix": False}
RESULT = {"role": "tool", "tool_call_id": "abcDEF123", "name": "issue_refund", "content": "done"}
FUNCTION = {"name": "issue_refund", "parameters": {"type": "object", "properties": {}}}
TOOL = {"type": "function", "function": FUNCTION}


def chat(*messages, **more):
    return {"model": "mistral-small-latest", "messages": list(messages), **more}


def refusal(body, *, rules=None, for_agent=False):
    with pytest.raises(Refusal) as caught:
        request_checker(rules or Rules())(body, for_agent)
    return caught.value


def accepts(body, *, rules=None, for_agent=False):
    """True: nothing was raised; the check has no other answer."""
    request_checker(rules or Rules())(body, for_agent)
    return True


def recorded_requests():
    for path in sorted(RECORDINGS.glob("*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(recording, dict) and "chat/completions" in recording["request"]["url"]:
            body = recording["request"]["json"]
            if body is not None and recording["response"]["status"] == 200:
                yield path.name, body


@needs_recordings
def test_every_recorded_request_that_the_live_api_accepted_is_accepted():
    check = request_checker(Rules(ids_have_nine_characters=True, user_may_follow_tool=True))
    refused = {}
    bodies = dict(recorded_requests())
    for name, body in bodies.items():
        try:
            check(body, False)
        except Refusal as error:
            refused[name] = error.body

    assert refused == {}
    assert len(bodies) > 40


@needs_recordings
def test_strict_rules_refuse_of_the_recordings_only_a_user_after_a_tool():
    check = request_checker()
    for name, body in recorded_requests():
        roles = [message["role"] for message in body["messages"]]
        if ("tool", "user") in pairwise(roles):
            with pytest.raises(Refusal, match="Unexpected role 'user' after role 'tool'"):
                check(body, False)
        else:
            assert accepts(body), name


@pytest.mark.parametrize(
    "body",
    [
        chat(USER),
        chat(USER, ASKED, RESULT),
        chat(USER, ASKED | {"content": "Let me do that."}, RESULT),
        chat(USER, ASKED, RESULT, {"role": "assistant", "content": "Done."}, USER),
        chat(USER, ASKED, RESULT | {"content": ""}),
        chat(USER, ASKED | {"tool_calls": [CALL | {"function": {"name": "x", "arguments": {"a": 1}}}]}, RESULT),
        chat(USER, ASKED | {"tool_calls": [CALL | {"function": {"name": "x", "arguments": "no json"}}]}, RESULT),
        chat(USER, tools=[TOOL], tool_choice="any", parallel_tool_calls=False),
        chat(USER, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "issue_refund"}}),
        chat(USER, temperature=1.5, top_p=0.9, max_tokens=10, random_seed=7, stop=["x"], safe_prompt=True),
        chat(USER, stream=True, metadata={"a": 1}, presence_penalty=0.5, n=1, prompt_mode="reasoning", tools=None),
        chat(USER, reasoning_effort="high", response_format={"type": "json_object"}, service_tier="auto"),
        chat({"role": "user", "content": [{"type": "document_url", "document_url": "https://files.example/a.pdf"}]}),
        chat({"role": "system", "content": "Be brief."}, USER),
    ],
)
def test_right_request_is_accepted(body):
    assert accepts(body)


@pytest.mark.parametrize(
    ("body", "place", "value"),
    [
        (chat(USER, max_completion_tokens=32000), ["max_completion_tokens"], 32000),
        (
            chat(USER, ASKED | {"reasoning_content": "hm"}, RESULT),
            ["messages", 1, "assistant", "reasoning_content"],
            "hm",
        ),
        (
            chat(USER, tools=[{"type": "function", "function": FUNCTION | {"required": ["a"]}}]),
            ["tools", 0, "function", "required"],
            ["a"],
        ),
        (chat(USER, continue_final_message=True), ["continue_final_message"], True),
    ],
)
def test_extra_key_is_refused_as_the_live_api_does(body, place, value):
    error = refusal(body)

    assert error.status == 422
    entry = {
        "type": "extra_forbidden",
        "loc": ["body", *place],
        "msg": "Extra inputs are not permitted",
        "input": value,
    }
    assert error.body == {
        "object": "error",
        "message": {"detail": [entry]},
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({"messages": [USER]}, ["body", "model"], "missing"),
        ({"model": "m"}, ["body", "messages"], "missing"),
        (chat(USER, temperature=2), ["body", "temperature"], "less_than_equal"),
        (
            chat(USER, ASKED, RESULT | {"content": None}),
            ["body", "messages", 2, "tool", "content", "str"],
            "string_type",
        ),
        (chat({"role": "bob", "content": "x"}), ["body", "messages", 0], "union_tag_invalid"),
        (chat("hello"), ["body", "messages", 0], "model_attributes_type"),
    ],
)
def test_wrong_type_is_refused_with_its_place(body, place, kind):
    error = refusal(body)

    assert error.status == 422
    assert (place, kind) in [(entry["loc"], entry["type"]) for entry in error.body["message"]["detail"]]


ORDER = ("invalid_request_message_order", "3230")
OTHER = ("invalid_request_error", None)
SECOND = CALL | {"id": "zyxWVU987"}


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        (chat(USER, ASKED), "Expected last role User or Tool", ORDER),
        (chat(USER, {"role": "assistant", "content": "x"}), "Expected last role User or Tool", ORDER),
        (chat(RESULT), "Conversation must start with", ORDER),
        (chat(), "Conversation must have at least one", ORDER),
        (chat(USER, RESULT), "Unexpected role 'tool' after role 'user'", ORDER),
        (chat(USER, ASKED, RESULT, {"role": "system", "content": "x"}), "Unexpected role 'system' after role", ORDER),
        (chat(USER, ASKED, RESULT, USER), "Unexpected role 'user' after role 'tool'", ORDER),
        (
            chat(USER, ASKED | {"tool_calls": [CALL, SECOND]}, RESULT),
            "Not the same number of function calls and responses",
            OTHER,
        ),
        (chat(USER, ASKED, USER), "Not the same number of function calls and responses", OTHER),
        (chat(USER, ASKED, RESULT, RESULT), "Duplicate tool call id abcDEF123 in tool results", OTHER),
        (chat(USER, ASKED, RESULT | {"tool_call_id": "zyxWVU987"}), "Unexpected tool call id zyxWVU987", OTHER),
        (chat(USER, ASKED | {"tool_calls": [CALL, CALL]}, RESULT), "Duplicate tool call id", OTHER),
        (
            chat(USER, ASKED | {"tool_calls": [CALL | {"id": "turn1_0"}]}, RESULT | {"tool_call_id": "turn1_0"}),
            "Tool call id was turn1_0 but must be a-z, A-Z, 0-9, with a length of 9.",
            ("invalid_function_call", "3280"),
        ),
        (
            chat(USER, tools=[{"type": "function", "function": FUNCTION | {"name": "shop.refund"}}]),
            "Function name was shop.refund but must be",
            OTHER,
        ),
    ],
)
def test_wrong_order_pairing_or_name_is_refused_as_the_live_api_does(body, message, kind):
    error = refusal(body)

    assert error.status == 400
    assert error.body["object"] == "error"
    assert error.body["message"].startswith(message)
    assert (error.body["type"], error.body["code"]) == kind
    assert error.body["param"] is None


def test_loose_rules_take_other_ids_but_never_null():
    rules = Rules(ids_have_nine_characters=False)
    third_party = "chatcmpl-tool-9f149c74c42f265b"

    def body(call_id):
        return chat(USER, ASKED | {"tool_calls": [CALL | {"id": call_id}]}, RESULT | {"tool_call_id": call_id})

    assert accepts(body(third_party), rules=rules)
    assert refusal(body("null"), rules=rules).status == 400


def test_loose_rules_take_a_user_after_a_tool():
    assert accepts(chat(USER, ASKED, RESULT, USER), rules=Rules(user_may_follow_tool=True))


def test_agents_take_an_agent_and_no_model_or_temperature():
    body = {"agent_id": "ag_1", "messages": [USER]}

    assert accepts(body, for_agent=True)
    assert refusal({"messages": [USER]}, for_agent=True).body["message"]["detail"][0]["loc"] == ["body", "agent_id"]
    extra = refusal(body | {"model": "m", "temperature": 0.1}, for_agent=True).body["message"]["detail"]
    assert [entry["loc"] for entry in extra] == [["body", "model"], ["body", "temperature"]]
