"""What the model is told, and what an operator may put in its place."""

from dataclasses import fields
from pathlib import PurePath

import pytest

from gateway.domain.wording import Wording, read_wording, replaced
from gateway.errors import InvalidSetting

SOURCE = PurePath("wording.toml")


def test_standard_sentences_are_the_contracts() -> None:
    wording = Wording()
    assert wording.say_rejected("too much") == "Action rejected: too much"
    assert wording.say_rejected(None) == wording.say_rejected("") == "Action rejected: blocked by reviewer"
    assert wording.expired == "Action expired: no decision was made in time. It was not executed."
    assert wording.cancelled == "Action cancelled: not executed."
    assert wording.round_limit == "Not executed: round limit."
    assert wording.tool_error.format(error="no such account") == "Error: no such account"
    assert wording.say_did_not_run(None) == "Error: the call did not run."
    assert wording.say_did_not_run("checked") == "Error: the call did not run. checked"
    edited = wording.ran_with_edits.format(arguments='{"a": {}}', result="{ok}\nmore")
    assert edited.split("\n", 1)[1] == "{ok}\nmore"
    assert '{"a": {}}' in edited.splitlines()[0]


def test_braces_in_what_people_and_tools_say_are_not_places() -> None:
    assert Wording().say_rejected("use {note} and {0}") == "Action rejected: use {note} and {0}"


def test_operator_replaces_single_sentences() -> None:
    wording = read_wording('rejected = "Abgelehnt: {note}"\ncancelled = "Abgebrochen."', SOURCE)

    assert wording.say_rejected("zu viel") == "Abgelehnt: zu viel"
    assert wording.cancelled == "Abgebrochen."
    assert wording.expired == Wording().expired


def test_places_may_be_left_out() -> None:
    assert read_wording('rejected = "No."', SOURCE).say_rejected("because") == "No."


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('refused = "x"', "refused"),
        ("rejected = 7", "rejected"),
        ('rejected = "{reason}"', "{note}"),
        ('cancelled = "{note}"', "none"),
        ('rejected = "{"', "rejected"),
        ('rejected = "{}"', "rejected"),
        ('rejected = "{0}"', "rejected"),
        ('rejected = "{note.__class__}"', "rejected"),
        ('rejected = "{note[0]}"', "rejected"),
        ('rejected = "{note:d}"', "rejected"),
        ('rejected = "{note:{note}}"', "rejected"),
        ('rejected = "{note:99999999999}"', "rejected"),
        ('rejected = "{note!x}"', "rejected"),
        ("rejected = ", "wording.toml"),
    ],
)
def test_sentence_that_could_not_be_said_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        read_wording(text, SOURCE)

    assert named in caught.value.message
    assert "wording.toml" in caught.value.message


def test_every_standard_sentence_may_be_replaced_by_itself() -> None:
    sentences = {field.name: getattr(Wording(), field.name) for field in fields(Wording)}

    assert replaced(Wording(), sentences, "x") == Wording()
