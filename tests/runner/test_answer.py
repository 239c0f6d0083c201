"""Reading a completion's body, whatever a server puts into it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.turn import sendable_name
from gateway.runner.answer import NotAnAnswer, read_answer
from tests.factories import call, completion

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
anywhere = st.sampled_from(
    ["choices", "message", "content", "tool_calls", "id", "function", "name", "arguments", "usage"]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(anywhere, json_values)
def test_any_value_in_any_place_is_read_or_refused(member: str, value: Any) -> None:
    body = json.loads(completion(call("send", '{"a": 1}'), text="x"))
    replace(body, member, value)
    text = json.dumps(body)

    try:
        answer = read_answer(text)
    except NotAnAnswer:
        return

    assert answer.response == text
    json.dumps(answer.message, ensure_ascii=False).encode()
    answer.text.encode()
    assert isinstance(answer.finish_reason, str | None)
    assert len(answer.message.get("tool_calls", ())) == len(answer.calls)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "replace")))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(NotAnAnswer):
        read_answer(text)


def test_thinking_is_kept_in_the_message_and_is_not_words() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "144"}]
    body = json.loads(completion())
    body["choices"][0]["message"]["content"] = content

    answer = read_answer(json.dumps(body))

    assert answer.text == "144"
    assert answer.message == {"role": "assistant", "content": content}


def test_of_a_member_given_twice_the_last_one_counts_everywhere() -> None:
    body = completion(call("send", "X")).replace('"arguments": "X"', '"arguments": {"a": 1}, "arguments": {"a": 2.0}')

    [tool_call] = read_answer(body).calls

    assert tool_call.arguments == '{"a":2.0}'


@pytest.mark.parametrize(
    ("name", "sent"),
    [("send", "send"), ("a.b c", "a_b_c"), ("é", "_"), ("", "unnamed"), ("x" * 65, "x" * 64), ("\x00", "_")],
)
def test_name_is_changed_only_as_far_as_mistral_demands(name: str, sent: str) -> None:
    assert sendable_name(name) == sent


def replace(tree: Any, member: str, value: Any) -> None:
    """Every ``member`` in the tree has this value."""
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for child in list(children):
        replace(child, member, value)
    if isinstance(tree, dict) and member in tree:
        tree[member] = value
