"""Reading scripts: what the file may say, and what is refused with which words."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.demo.script import Conversation, Script, ScriptedCall, Turn, read_script
from gateway.errors import InvalidSetting


def script_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_becomes_a_script_with_arguments_byte_for_byte(tmp_path):
    path = script_file(
        tmp_path,
        """
        models = ["mistral-small-latest"]
        [[conversations]]
        when = "pay"
        [[conversations.turns]]
        content = "I pay."
        [[conversations.turns.tool_calls]]
        name = "no such tool!"
        arguments = '{"amount":  249.00, "amount": 1e2'
        [[conversations.turns]]
        if_result_contains = { 1 = "done" }
        content = "Paid."
        """,
    )

    script = read_script(path)

    call = script.conversations[0].turns[0].tool_calls[0]
    assert call.name == "no such tool!"
    assert call.wire_arguments == '{"amount":  249.00, "amount": 1e2'
    assert script.conversations[0].turns[1].if_result_contains == {1: "done"}
    assert script.models == ["mistral-small-latest"]
    assert script.tool_names == {"no such tool!"}


def test_table_of_arguments_is_sent_as_compact_json():
    assert ScriptedCall(name="x", arguments={"a": 1, "b": "ü"}).wire_arguments == '{"a":1,"b":"ü"}'


def test_table_of_arguments_can_be_sent_as_an_object():
    assert ScriptedCall(name="x", arguments={"a": 1}, arguments_as_object=True).wire_arguments == {"a": 1}


def test_conditional_and_failing_turns_share_a_step_with_what_follows():
    rejected = Turn(if_result_contains="rejected", content="no")
    limited = Turn(status=429, times=1)
    first, last = Turn(content="first"), Turn(content="last")

    assert Conversation(turns=[first, rejected, limited, last]).steps == [[first], [rejected, limited, last]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("conversations = 3", "wrong at conversations"),
        ("sentences = []", "wrong at sentences: Extra inputs"),
        ("[[conversations]]\nturns = [{contents = 'x'}]", "wrong at conversations.0.turns.0.contents: Extra inputs"),
        ("[[conversations]]\nturns = [{times = 2}]", "times needs status or cut"),
        ("[[conversations]]\nturns = [{body = 'x'}]", "body and headers need status"),
        ("[[conversations]]\nturns = [{repeat = true}, {content = 'x'}]", "repeat belongs to the last step"),
        ("not toml", "cannot be read"),
    ],
)
def test_wrong_file_is_refused_with_its_place(tmp_path, text, complaint):
    with pytest.raises(InvalidSetting, match=complaint):
        read_script(script_file(tmp_path, text))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidSetting, match="cannot be read"):
        read_script(tmp_path / "none.toml")


def test_object_arguments_cannot_come_in_fragments():
    call = ScriptedCall(name="x", arguments={}, arguments_as_object=True)
    with pytest.raises(ValidationError, match="only text comes in pieces"):
        Script(conversations=[Conversation(turns=[Turn(tool_calls=[call], fragments=True)])])
