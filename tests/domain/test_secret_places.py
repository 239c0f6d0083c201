"""Secret places of arguments: what is masked, what a posted mask means, and which pointers a tool may name."""

import json

import pytest

from gateway.domain import secret_places
from gateway.domain.arguments import changes
from gateway.domain.findings.finding import Finding
from gateway.domain.secret_places import masked, shown, unmasked, values


@pytest.mark.parametrize(
    ("text", "pointers", "seen"),
    [
        ('{"a": 249.00, "s" :  "x"}', ["/s"], '{"a": 249.00, "s" :  "••••"}'),
        ('{"s": "x", "t": "x"}', ["/s"], '{"s": "••••", "t": "x"}'),
        ('{"s": {"deep": [1, 2]}, "t": 1E5}', ["/s"], '{"s": "••••", "t": 1E5}'),
        ('{"s": {"deep": "x"}}', ["/s/deep", "/s"], '{"s": "••••"}'),
        ('{"s": {"deep": "x", "s": 1}}', ["/s/deep"], '{"s": {"deep": "••••", "s": 1}}'),
        ('{"s": null, "n": 12345678901234567890}', ["/s"], '{"s": "••••", "n": 12345678901234567890}'),
        ('{"s": 12.50}', ["/s"], '{"s": "••••"}'),
        ('{"s": ""}', ["/s"], '{"s": "••••"}'),
        ('{"l": ["a", {"x": "b"}]}', ["/l/1/x"], '{"l": "••••"}'),
        ('{"l": ["a", "b"]}', ["/l/00", "/l/2", "/l/x"], '{"l": "••••"}'),
        ('{"l": {"0": "a"}}', ["/l/0"], '{"l": {"0": "••••"}}'),
        ('{"a/b": 1, "c~d": 2, "~1": 3}', ["/a~1b", "/c~0d", "/~01"], '{"a/b": "••••", "c~d": "••••", "~1": "••••"}'),
        ('{"\\u0073": "x"}', ["/s"], '{"\\u0073": "••••"}'),
        ('{"a": 1}', ["/s", "/a/b"], '{"a": "••••"}'),
        ('  {"s":"x"}\n', ["/s"], '  {"s":"••••"}\n'),
    ],
)
def test_only_the_values_at_the_pointers_are_masked_and_all_else_stays_byte_for_byte(text, pointers, seen):
    assert masked(text, pointers) == seen
    assert unmasked(seen, text, pointers) == text


def test_text_that_cannot_be_read_is_masked_as_a_whole():
    assert shown('{"s": "x", "s": "y"}', ["/s"]) == "••••"
    assert shown('{"s": "x', ["/s"]) == "••••"
    assert shown('{"s": "x', []) == '{"s": "x'


@pytest.mark.parametrize(
    ("posted", "asked", "meant"),
    [
        ('{"s": "••••", "a": 2}', '{"s": 007.0, "a": 1}', None),
        ('{"s": "••••", "a": "••••"}', '{"s": "x", "a": "y"}', '{"s": "x", "a": "••••"}'),
        ('{"s": "••••"}', '{"a": 1}', '{"s": "••••"}'),
        ('{"s": "\\u2022\\u2022\\u2022\\u2022"}', '{"s": {"k": 1.0}}', '{"s": {"k": 1.0}}'),
        ('{"s": "••••!"}', '{"s": "x"}', '{"s": "••••!"}'),
        ('{"s": "new"}', '{"s": "x"}', '{"s": "new"}'),
        ("{}", '{"s": "x"}', "{}"),
    ],
)
def test_posted_mask_stands_for_what_was_asked_at_its_place(posted, asked, meant):
    if meant is None:
        asked = asked.replace("007.0", "7.0")
        meant = '{"s": 7.0, "a": 2}'
    assert unmasked(posted, asked, ["/s"]) == meant


def test_values_are_exact_and_pointers_to_nothing_are_left_out():
    assert values('{"s": 249.00, "t": {"u": [1 ,2]}}', ["/s", "/t/u", "/v"]) == {"/s": "249.00", "/t/u": "[1 ,2]"}


def test_change_of_a_secret_or_around_one_is_masked():
    secrets = ["/s", "/o/s"]
    before = json.dumps({"s": {"k": "old"}, "o": {"s": "old", "t": 1}, "p": 1})
    after = json.dumps({"s": {"k": "new"}, "o": "flat", "p": 2})
    seen = [secret_places.masked_change(change, secrets) for change in changes(before, after)]
    assert [(one.pointer, one.before, one.after) for one in seen] == [
        ("/s", '"••••"', '"••••"'),
        ("/o", '{"s":"••••","t":1}', '"••••"'),
        ("/p", "1", "2"),
    ]


def test_findings_in_a_secret_say_that_there_is_something_and_not_what():
    found = [
        Finding("link", "/s/url", "Links to hidden.example."),
        Finding("link", "/s/other", "Links to other.example."),
        Finding("secret", "/s", "Has what looks like a secret."),
        Finding("link", "/t", "Links to seen.example."),
    ]
    told = secret_places.told(found, ["/s"])
    assert [(one.code, one.path) for one in told] == [("link", "/s"), ("link", "/t")]
    assert "hidden" not in told[0].message


SCHEMA = {
    "properties": {
        "s": {"properties": {"pin": {}, "0": {}}},
        "l": {"type": "array", "items": {"properties": {"x": {}}}},
        "free": {},
    }
}


@pytest.mark.parametrize(
    "pointers",
    [
        "/s", [1], ["s"], [""], ["/s/~"], ["/s/~2"], ["/l/*"], ["/l/-"], ["/misspelt"], ["/s"] * 101, {"/s": 1},
        ["/s/pni"], ["/l/0/x"], ["/l/x"], ["/free/0"], ["/free/*/x"],
    ],
)  # fmt: skip
def test_unusable_pointers_are_refused(pointers):
    assert secret_places.check_pointers(pointers, SCHEMA)


@pytest.mark.parametrize("pointers", [[], ["/s"], ("/s/pin", "/l"), ["/s/0"], ["/free/a~1b~0"]])
def test_usable_pointers_are_taken(pointers):
    assert secret_places.check_pointers(pointers, SCHEMA) is None


def test_schema_without_named_arguments_takes_any_pointer():
    assert secret_places.check_pointers(["/any"], {}) is None


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"buyer": [{"pin": "7"}], "a": 1.0}', '{"buyer": "••••", "a": 1.0}'),
        ('{"buyer": "pin 7"}', '{"buyer": "••••"}'),
        ('{"buyer": {"name": "7"}}', '{"buyer": {"name": "7"}}'),
        ('[{"buyer": {"pin": "7"}}]', '"••••"'),
    ],
)
def test_what_is_no_object_on_the_way_to_a_secret_is_masked_as_a_whole(text, masked):
    assert secret_places.masked(text, ["/buyer/pin"]) == masked


@pytest.mark.parametrize("raw", ['"{\\"card\\":\\"4111\\"}"', '[{"card":"4111"}]', '{"card": "4111"', "4111"])
def test_arguments_that_are_no_object_are_a_mask(raw):
    assert secret_places.shown(raw, ["/card"]) == "••••"
