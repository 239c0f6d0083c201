"""The line that a reviewer reads first."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.json_text import Limits
from gateway.domain.title import MAX_TITLE_CHARS, check_template, render_title


@pytest.mark.parametrize(
    ("template", "details_text", "title"),
    [
        ("Cancel order {order_id}", '{"order_id": "W123"}', "Cancel order W123"),
        ("Refund {amount} for {order_id}", '{"order_id": "W1", "amount": 249.00}', "Refund 249.00 for W1"),
        ("{n}", '{"n": 12345678901234567890}', "12345678901234567890"),
        ("{n}", '{"n": 1E5}', "1E5"),
        ("{n}", '{"n": -0.0}', "-0.0"),
        ("{a}, {b}, {c}", '{"a": true, "b": false, "c": null}', "true, false, none"),
        ("{a} and {b}", '{"a": [1, "é", 1.10], "b": {"x": {"y": null}}}', '[1,"é",1.10] and {"x":{"y":null}}'),
        ("Send to {address.city}", '{"address": {"city": "Paris"}}', "Send to Paris"),
        ("{a.b.c}", '{"a": {"b": {"c": 1}}}', "1"),
        ("{a}{a}", '{"a": "x"}', "xx"),
        ("no places", "{}", "no places"),
        ("{missing}", "{}", "…"),
        ("{address.city}", '{"address": {}}', "…"),
        ("{address.city}", '{"address": "Paris"}', "…"),
        ("{address.city}", '{"address": null}', "…"),
        ("{items.0}", '{"items": ["x"]}', "…"),
        ("{a}", '{"a": ""}', ""),
        ("{a}", '{"a": "x\\r\\n\\ty\\u2028z\\u0085"}', "x y z "),
        ("{a}", '{"a": "\\u001b[31mred"}', " [31mred"),
        ("{a}", '{"a": "\\u007f\\u0001"}', " "),
        ("{a}", json.dumps({"a": "{b}", "b": "not filled twice"}), "{b}"),
        ("{a}", json.dumps({"a": "\\1 \\g<0>"}), "\\1 \\g<0>"),
        ("{a.__class__}", '{"a": "x"}', "…"),
        ("{__class__.__mro__}", '{"a": "x"}', "…"),
        ("{a!r} {a:>9} {a[0]}", '{"a": "x"}', "… … …"),
        ("{{a}}", '{"a": "x"}', "{x}"),
        ("{name with spaces}", '{"name with spaces": 1}', "1"),
        ("{größe}", '{"größe": 1}', "1"),
    ],
)
def test_a_template_is_filled_with_arguments_as_written(template: str, details_text: str, title: str) -> None:
    assert render_title(template, "action", details_text) == title


def test_a_key_with_a_dot_cannot_pose_as_a_path() -> None:
    details = '{"address.city": "Paris", "address": {"city": "Minsk"}}'
    assert render_title("Send to {address.city}", "send", details) == "Send to Minsk"
    assert render_title("Send to {address.city}", "send", '{"address.city": "Paris"}') == "Send to …"


@pytest.mark.parametrize(
    ("details_text", "title"),
    [
        ('{"to": "a@b.c", "subject": "Hello"}', "send_email to=a@b.c subject=Hello"),
        ('{"to": ["a@b.c"], "n": 1.10, "ok": true, "no": null, "x": 1}', "send_email n=1.10 ok=true no=none"),
        ('{"to": "a@b.c\\nsubject: x"}', "send_email to=a@b.c subject: x"),
        ("{}", "send_email"),
        ('{"a": {"b": 1}}', "send_email"),
        ("[1]", "send_email"),
        ('"text"', "send_email"),
        ("null", "send_email"),
        ('{"a": 1, "a": 2}', "send_email"),
        ('{"a": ', "send_email"),
        ("", "send_email"),
        ("[" * 200_000, "send_email"),
        ("9" * 4001, "send_email"),
    ],
    ids=range(13),
)
def test_without_a_template_the_action_and_the_first_scalars_are_shown(details_text: str, title: str) -> None:
    assert render_title(None, "send_email", details_text) == title
    assert render_title("", "send_email", details_text) == title


def test_a_template_over_unreadable_arguments_shows_the_action() -> None:
    assert render_title("Cancel {order_id}", "cancel", '{"order_id": 1, "order_id": 2}') == "cancel"
    assert render_title("Cancel {order_id}", "cancel", "[]") == "cancel"


def test_the_limits_are_the_callers() -> None:
    assert render_title("{a}", "cancel", '{"a": 1}', Limits(max_keys=0)) == "cancel"


def test_an_argument_cannot_pose_as_a_second_one() -> None:
    assert render_title(None, "pay", '{"to": "x amount=1", "amount": 900}') == 'pay to="x amount=1" amount=900'
    assert render_title(None, "pay", '{"to=x amount": 1, "amount": 900}') == 'pay "to=x amount"=1 amount=900'


def test_each_value_is_cut_at_80_characters() -> None:
    assert render_title("{a}!", "x", json.dumps({"a": "é" * 80})) == "é" * 80 + "!"
    assert render_title("{a}!", "x", json.dumps({"a": "é" * 81})) == "é" * 79 + "…!"
    assert render_title(None, "x", json.dumps({"a": "b" * 81})) == "x a=" + "b" * 79 + "…"
    assert render_title(None, "x", json.dumps({"k" * 81: 1})) == "x " + "k" * 79 + "…=1"
    assert render_title("{a}", "x", '{"a": ' + "1" * 81 + "}") == "1" * 79 + "…"


def test_the_whole_is_cut_at_200_characters() -> None:
    assert render_title("x" * 200, "a", "{}") == "x" * 200
    assert render_title("x" * 201, "a", "{}") == "x" * 199 + "…"
    assert len(render_title("{a}{a}{a}", "x", json.dumps({"a": "b" * 200}))) == 200


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.none() | st.sampled_from(["{a}", "Do {a} with {b.c}", "{", "{}", "}{", "{a.}"]),
    st.text(max_size=30),
    st.dictionaries(st.sampled_from(["a", "b"]) | st.text(), st.text(st.characters()) | st.floats(), max_size=4)
    | st.text(),
)
def test_a_title_is_one_short_printable_line(template: str | None, action: str, details: object) -> None:
    title = render_title(template, action, details if isinstance(details, str) else json.dumps(details))
    assert len(title) <= MAX_TITLE_CHARS
    assert not any(unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"} for character in title)
    assert len(title.splitlines()) <= 1


@pytest.mark.parametrize("template", ["Cancel order {order_id}", "{address.city}", "{order_id} {address}", "plain", ""])
def test_a_template_of_known_arguments_is_fine(template: str) -> None:
    assert check_template(template, ["order_id", "address"]) is None


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{oder_id}", "'oder_id'"),
        ("{order_id} {x.y}", "'x'"),
        ("{order_id", "brace"),
        ("order_id}", "brace"),
        ("{{order_id}}", "brace"),
        ("}{", "brace"),
        ("{a{order_id}}", "brace"),
        ("{}", "{} is not the name"),
        ("{.order_id}", "{.order_id} is not the name"),
        ("{address.}", "{address.} is not the name"),
        ("{address..city}", "{address..city} is not the name"),
        ("{order_id!r}", "'order_id!r'"),
        ("{order_id:>10}", "'order_id:>10'"),
        ("{ order_id }", "' order_id '"),
    ],
)
def test_a_faulty_template_is_explained_in_a_sentence(template: str, reason: str) -> None:
    sentence = check_template(template, {"order_id": {}, "address": {}})
    assert sentence is not None
    assert reason in sentence
    assert sentence.endswith(".")
