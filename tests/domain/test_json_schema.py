"""What a tool's schema asks of its arguments, and which schemas can be used at all."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.domain.json_schema import MAX_MESSAGE_CHARS, MAX_MISMATCHES, Mismatch, check_schema, mismatches
from gateway.domain.json_text import Limits
from gateway.errors import InvalidTool

REFUND: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^W[0-9]+$"},
        "amount": {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
        "on": {"type": "string", "format": "date"},
    },
    "required": ["order_id"],
    "additionalProperties": False,
    "$defs": {"item": {"type": "object", "properties": {"a/b": {"type": "integer"}}}},
}


def found(schema: object, details_text: str) -> dict[str, str]:
    return {mismatch.pointer: mismatch.message for mismatch in mismatches(json.dumps(schema), details_text)}


def test_arguments_that_fit_have_no_mismatch() -> None:
    assert found(REFUND, '{"order_id": "W1", "amount": 19.99, "items": [{"a/b": 1}], "on": "2026-02-28"}') == {}


def test_each_mismatch_has_its_pointer_and_its_reason() -> None:
    details = '{"order_id": "1", "amount": 19.995, "items": [{"a/b": 1}, {"a/b": "x"}], "on": "2026-02-30"}'
    assert found(REFUND, details) == {
        "/order_id": 'this value does not match "^W[0-9]+$"',
        "/amount": "this value is not a multiple of 0.01",
        "/items/1/a~1b": 'this value is not of type "integer"',
        "/on": 'this value is not a "date"',
    }


def test_missing_and_surplus_arguments_are_named() -> None:
    messages = [mismatch.message for mismatch in mismatches(json.dumps(REFUND), '{"orderId": "W1"}')]
    assert any('"order_id" is a required property' in message for message in messages)
    assert any("'orderId' was unexpected" in message for message in messages)


def test_a_tool_without_arguments_says_that_none_are_allowed() -> None:
    assert found({"type": "object", "additionalProperties": False}, '{"a": 1}') == {"": "no member is allowed here"}
    assert found({"properties": {"a": False}}, '{"a": 1}') == {"/a": "this value is not allowed"}


@pytest.mark.parametrize(
    ("schema", "number", "fits"),
    [
        ({"multipleOf": 0.01}, "19.99", True),
        ({"multipleOf": 0.01}, "0.07", True),
        ({"multipleOf": 0.01}, "1.1", True),
        ({"multipleOf": 0.01}, "19.999", False),
        ({"multipleOf": 0.1}, "0.3", True),
        ({"multipleOf": 0.1}, "0.30000000000000004", False),
        ({"type": "integer"}, "249.00", True),
        ({"type": "integer"}, "1E5", True),
        ({"type": "integer"}, "249.01", False),
        ({"type": "integer"}, "12345678901234567890", True),
        ({"type": "integer"}, "true", False),
        ({"type": "boolean"}, "1", False),
        ({"type": "integer"}, '"1"', False),
        ({"maximum": 0.3}, "0.3", True),
        ({"maximum": 0.3}, "0.30000000000000000001", False),
        ({"maximum": 9007199254740992}, "9007199254740993", False),
        ({"maximum": 18446744073709551616}, "18446744073709551617", False),
        ({"const": 9007199254740993}, "9007199254740992", False),
        ({"const": 1}, "1.0", True),
        ({"const": 1}, "true", False),
        ({"enum": [0]}, "false", False),
        ({"enum": [0.1]}, "0.10", True),
        ({"minimum": 0}, "-0.0", True),
        ({"exclusiveMinimum": 0}, "1e-400", True),
        ({"maximum": 10}, "1" * 4000, False),
        ({"type": "number"}, "1" * 4000, True),
        ({"type": "integer"}, "1e308", True),
        ({"multipleOf": 7}, "1e308", False),
        ({"maximum": 10}, "1e999", False),
        ({"type": "integer"}, "1e-99999999999999999999", True),
    ],
)
def test_numbers_are_compared_as_written(schema: dict[str, Any], number: str, fits: bool) -> None:
    assert (mismatches(json.dumps(schema), number) == ()) is fits


@pytest.mark.parametrize("schema_text", ["", " ", "{}", " {} ", "{ }", "true"])
def test_an_empty_schema_is_satisfied_by_everything(schema_text: str) -> None:
    assert mismatches(schema_text, '{"a": [1, null]}') == ()


@pytest.mark.parametrize("details_text", ["", "{", '{"a":1,"a":2}', '{"a":NaN}', "[" * 200_000, "9" * 4001])
def test_arguments_that_are_not_strict_json_never_fit(details_text: str) -> None:
    (mismatch,) = mismatches('{"type": "object"}', details_text)
    assert mismatch.pointer == ""
    assert mismatch.message.startswith(("Not valid JSON", "Too large"))


def test_the_limits_are_the_callers() -> None:
    assert mismatches('{"type": "object"}', '{"a": 1}', Limits(max_keys=0)) != ()
    assert mismatches('{"type": "string"}', '"' + "a" * 200_000 + '"', Limits(max_string_bytes=200_000)) == ()


def test_a_message_never_quotes_the_value() -> None:
    secret = "4111111111111111"
    schemas: list[dict[str, Any]] = [
        {"type": "integer"},
        {"enum": ["a"]},
        {"const": "a"},
        {"pattern": "^x"},
        {"maxLength": 3},
        {"format": "email"},
        {"not": {}},
        {"anyOf": [{"type": "null"}, {"type": "integer"}]},
        {"oneOf": [{}, {}]},
    ]
    for schema in schemas:
        for place in (schema, {"properties": {"card": schema}}, {"additionalProperties": schema}):
            text = f'"{secret}"' if place is schema else f'{{"card": "{secret}"}}'
            (mismatch,) = mismatches(json.dumps(place), text)
            assert secret not in mismatch.message


def test_messages_are_short_and_few() -> None:
    schema = {"items": {"enum": ["x" * 1000]}}
    result = mismatches(json.dumps(schema), json.dumps(["y"] * 500))
    assert len(result) == MAX_MISMATCHES
    assert {len(mismatch.message) for mismatch in result} == {MAX_MESSAGE_CHARS}
    assert result[0].message.endswith("…")


def test_of_very_many_values_only_the_first_mismatch_is_told() -> None:
    details = json.dumps([1] * 80_000)
    assert mismatches('{"items": {"type": "integer"}}', details) == ()
    assert [mismatch.pointer for mismatch in mismatches('{"items": {"type": "string"}}', details)] == ["/0"]


def test_a_pattern_cannot_stall_the_gateway() -> None:
    assert len(mismatches('{"pattern": "^(a+)+$"}', '"' + "a" * 100_000 + '!"')) == 1


def test_one_compiled_schema_serves_many_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: mismatches('{"minimum": 50}', str(number)), range(100)))
    assert [result == () for result in results] == [number >= 50 for number in range(100)]
    assert results[0] == (Mismatch("", "this value is less than the minimum of 50"),)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        REFUND,
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
        {"$ref": "#"},
        {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}},
        {"$defs": {"a": {"$anchor": "here"}}, "$ref": "#here"},
        {"$id": "https://tools.example/a", "$defs": {"b": {"$id": "b", "type": "string"}}, "$ref": "b"},
        {"type": "string", "x-note": "keywords that nobody knows are allowed"},
        {"pattern": "^\\p{L}+$"},
        {"properties": {"$ref": {"type": "string"}}},
    ],
)
def test_a_usable_schema_is_taken(schema: dict[str, Any]) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "strnig"}, "/type"),
        ({"properties": {"a": {"type": 1}}}, "/properties/a/type"),
        ({"properties": []}, "/properties"),
        ({"required": "a"}, "/required"),
        ({"required": ["a", "a"]}, "/required"),
        ({"minimum": "1"}, "/minimum"),
        ({"multipleOf": 0}, "/multipleOf"),
        ({"enum": 1}, "/enum"),
        ({"items": [{"type": "string"}]}, "/items"),
        ({"pattern": "("}, "/pattern"),
        ({"pattern": "(?=look-ahead)"}, "/pattern"),
        ({"pattern": "(a)\\1"}, "/pattern"),
        ({"pattern": "a{1,1000}{1,1000}{1,1000}"}, "/pattern"),
        ({"$ref": "#/$defs/missing"}, "/$defs/missing"),
        ({"$ref": "https://tools.example/a.json"}, "references inside the schema itself"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:1/a"}}}, "references inside the schema itself"),
        ({"$ref": "file:///etc/passwd"}, "references inside the schema itself"),
        ({"$id": "file:///etc/", "$ref": "passwd"}, "references inside the schema itself"),
        ({"$ref": "other.json"}, "other.json"),
        ({"$dynamicRef": "http://127.0.0.1:1/a"}, "http://127.0.0.1:1/a"),
        ({"const": float("nan")}, "written as JSON"),
        ({"default": {1, 2}}, "written as JSON"),
        ({"title": "\ud800"}, "written as JSON"),
        ({"title": "a\0b"}, "U+0000"),
    ],
    ids=range(24),
)
def test_an_unusable_schema_is_refused_with_its_reason(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidTool) as refusal:
        check_schema(schema)
    assert refusal.value.message.startswith("The schema cannot be used: ")
    assert reason in refusal.value.message
    assert len(refusal.value.message) < 500


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(64):
        schema = {"not": schema}
    with pytest.raises(InvalidTool, match="64 levels"):
        check_schema(schema)
    for _ in range(100_000):
        schema = {"not": schema}
    with pytest.raises(InvalidTool):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema_text", ["[]", '"x"', "{", '{"type":"string","type":"integer"}', '{"$ref":"file:///etc/passwd"}']
)
def test_mismatches_refuse_a_schema_that_cannot_be_used(schema_text: str) -> None:
    with pytest.raises(InvalidTool):
        mismatches(schema_text, "{}")
