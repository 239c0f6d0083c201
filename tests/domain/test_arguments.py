"""What is taken and refused as JSON, and how exactly the bytes of arguments are kept: cases written by hand."""

import hashlib
import inspect
import math
import sys
import time
from decimal import Decimal

import pytest

from gateway.domain.arguments import Change, changes, is_same, sha256_hex
from gateway.domain.json_text import (
    LIMITS,
    Limits,
    Number,
    compact,
    dump_literal,
    members,
    parse,
    parse_exact,
    parse_literal,
    require_object,
    slice_at,
)
from gateway.errors import GatewayError, InvalidJson, TooLarge

BOM = "\ufeff"

NOT_JSON: list[str | bytes] = [
    # nothing, or not a value
    "",
    " \n\t ",
    "undefined",
    "True",
    "nul",
    "nullx",
    "hello",
    "'single quotes'",
    "{'a': 1}",
    "{a: 1}",
    # more than one value
    "{} {}",
    "{}x",
    "[1]]",
    "1 2",
    '{"a":1}\0',
    "null,",
    # objects
    "{",
    "}",
    '{"a"}',
    '{"a":}',
    '{"a" 1}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":1 "b":2}',
    '{"a":1;"b":2}',
    "{1:2}",
    "{null:2}",
    '{"a"=1}',
    '{"a":1]',
    # arrays
    "[",
    "]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    '["a":1]',
    # numbers
    "01",
    "-01",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "-",
    "--1",
    "0x10",
    "1_000",
    "1,50",
    "١٢",
    "1\uff0e5",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    '{"a":[NaN]}',
    '{"a":-Infinity}',
    "1e999",
    "-1e999",
    '{"a":{"b":1E400}}',
    # strings
    '"',
    '"abc',
    '"a\\"',
    '"\\x41"',
    '"\\u12"',
    '"\\u12G4"',
    '"\\u+123"',
    '"\\U00000041"',
    '"\\\'"',
    '"\n"',
    '"\t"',
    '"\r"',
    '"\x1f"',
    '"\0"',
    '"\\u0000"',
    '{"a\\u0000b":1}',
    '{"a":["x",{"b":"\\u0000"}]}',
    '"\\ud800"',
    '"\\uDFFF"',
    '"\\udc00\\ud800"',
    '"\\ud83d \\ude00"',
    '{"\\ud800":1}',
    '"\ud800"',
    '"\ud83d\\ude00"',
    # duplicate keys
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '{"":1,"":2}',
    '{"x":[{"a":{"b":1,"b":2}}]}',
    '{"a":NaN,"a":1}',
    # spaces and comments of other languages
    "\u00a0{}",
    "\f{}",
    "\v{}",
    "{}\u2028",
    "// a\n{}",
    "{/* a */}",
    "# a\n{}",
    # bytes
    BOM + "{}",
    BOM.encode() + b"{}",
    b"\xff",
    b'"\xc3"',
    b'"\xc0\x80"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    '{"a":1}'.encode("utf-16"),
    '{"a":1}'.encode("utf-32"),
    b'{"a":1}\x00',
    b"\x1f\x8b\x08\x00",
    # nesting
    "[" * 65 + "]" * 65,
    '{"a":' * 65 + "1" + "}" * 65,
    '[{"a":' * 33 + "1" + "}]" * 33,
    "[" * 200_000,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 40_000,
    "]" * 1000 + "[" * 200_000,
    '"\\"' + "[" * 200_000,
]

JSON: list[tuple[str | bytes, object]] = [
    ("{}", {}),
    ("[]", []),
    ('""', ""),
    ("0", 0),
    ("-0", 0),
    ("null", None),
    ("true", True),
    (" \t\r\n{} \t\r\n", {}),
    (b'{"a": "\xc3\xa9"}', {"a": "é"}),
    ('{"a":1,"A":2,"a ":3}', {"a": 1, "A": 2, "a ": 3}),
    ('{"\u00e9":1,"e\u0301":2}', {"\u00e9": 1, "e\u0301": 2}),
    ('{"":1}', {"": 1}),
    ('{"x":{"a":1},"y":{"a":1}}', {"x": {"a": 1}, "y": {"a": 1}}),
    ("12345678901234567890", 12345678901234567890),
    ("1.10", 1.1),
    ("1E5", 100000.0),
    ("1e-999", 0.0),
    ('"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"', 'A/\b\f\n\r\t"\\'),
    ('"\\ud83d\\ude00"', "😀"),
    ('"😀"', "😀"),
    ('"\\\\u0000"', "\\u0000"),
    ('"\\\\ud800"', "\\ud800"),
    ('"\x7f\u2028\ufeff\uffff"', "\x7f\u2028\ufeff\uffff"),
    ('"[[[{{{"', "[[[{{{"),
    ("[" * 64 + "]" * 64, None),
    ("[" + ",".join(["[]"] * 1000) + "]", [[]] * 1000),
    ('["' + "[" * 1000 + '"]', ["[" * 1000]),
    ('["\\"' + "[" * 1000 + '"]', ['"' + "[" * 1000]),
    ('["' + "\\\\" * 50 + '",' + ",".join(["[]"] * 70) + "]", None),
]


@pytest.mark.parametrize("text", NOT_JSON, ids=[f"{n}-{text[:20]!a}" for n, text in enumerate(NOT_JSON)])
def test_text_that_is_not_strict_json_is_refused_by_every_reader(text: str | bytes) -> None:
    for read in (parse, parse_literal, parse_exact, require_object, members, lambda text: slice_at(text, ())):
        with pytest.raises(InvalidJson) as refusal:
            read(text)
        assert 10 < len(refusal.value.message) < 300
        assert refusal.value.message.isprintable()


def test_the_corpus_of_refused_texts_is_large() -> None:
    assert len(set(NOT_JSON)) == len(NOT_JSON) >= 60


@pytest.mark.parametrize(("text", "value"), JSON, ids=[f"{n}-{text[:20]!a}" for n, (text, _) in enumerate(JSON)])
def test_strict_json_is_taken(text: str | bytes, value: object) -> None:
    parsed = parse(text)
    if value is not None or text == "null":
        assert parsed == value
        assert type(parsed) is type(value)
    parse_literal(text)
    parse_exact(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  "a": 1,\n  "b": }', "line 3, column 8"),
        ("{} x", "line 1, column 4"),
        ('"\t"', "line 1, column 2"),
        ('["ok", "\ud800"]', "line 1, column 9"),
        ("[\n" + "[" * 64, "line 2, column 64"),
        (BOM + "{}", "a byte order mark, at line 1, column 1"),
        ('{"a":{"b/c":[0,NaN]}}', '"/a/b~1c/1"'),
        ('{"a":[{"k":1,"k":2}]}', '"k", at "/a/0"'),
        ('{"k":1,"k":2}', "the top level"),
        ('{"a":["\\u0000"]}', '"/a/0"'),
        ('{"a":{"\\ud800":1}}', '"/a"'),
        ('{"a":1e999}', '1e999 is beyond the range of a 64-bit float, at "/a"'),
        (b'"\xff"', "byte 2"),
    ],
)
def test_a_refusal_says_where(text: str | bytes, place: str) -> None:
    with pytest.raises(InvalidJson) as refusal:
        parse(text)
    assert place in refusal.value.message


def test_a_refusal_carries_its_place_as_facts() -> None:
    with pytest.raises(InvalidJson) as by_pointer:
        parse('{"a/b":NaN}')
    with pytest.raises(InvalidJson) as by_position:
        parse("[\n1,]")
    assert by_pointer.value.facts == {"pointer": "/a~1b"}
    assert by_position.value.facts == {"line": 2, "column": 3}


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 40_000, '\\"' * 120_000, '"' + '\\"' * 120_000, "[1," * 80_000]
)
def test_hostile_text_is_refused_quickly(text: str | bytes) -> None:
    started_s = time.perf_counter()
    with pytest.raises(InvalidJson):
        parse(text)
    assert time.perf_counter() - started_s < 1


def test_a_shallow_stack_is_enough_for_the_deepest_document() -> None:
    text = '[{"a":' * 32 + '"\\ud83d\\ude00"' + "}]" * 32
    depth = len(inspect.stack(0))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 220)
    try:
        assert changes(text, text.replace("00", "01")) != ()
        assert dump_literal(parse_literal(text)).startswith('[{"a":')
    finally:
        sys.setrecursionlimit(limit)


SMALL = Limits(max_bytes=40, max_string_bytes=10, max_depth=3, max_keys=4)


@pytest.mark.parametrize(
    ("limits", "at_the_limit", "beyond", "error"),
    [
        (SMALL, "[" + " " * 38 + "]", "[" + " " * 39 + "]", TooLarge),
        (SMALL, b"[" + b" " * 38 + b"]", b"[" + b" " * 39 + b"]", TooLarge),
        (SMALL, '["éééé",' + " " * 26 + "1]", '["éééé",' + " " * 27 + "1]", TooLarge),
        (SMALL, '["' + "a" * 10 + '"]', '["' + "a" * 11 + '"]', TooLarge),
        (SMALL, '["' + "é" * 5 + '"]', '["' + "é" * 5 + 'a"]', TooLarge),
        (SMALL, '["' + "\\n" * 10 + '"]', '["' + "\\n" * 11 + '"]', TooLarge),
        (SMALL, '{"' + "a" * 10 + '":1}', '{"' + "a" * 11 + '":1}', TooLarge),
        (SMALL, "[[[]]]", "[[[[]]]]", InvalidJson),
        (SMALL, '{"a":{"b":{}}}', '{"a":{"b":{"c":[]}}}', InvalidJson),
        (SMALL, '{"a":{"b":1},"c":2,"d":3}', '{"a":{"b":1},"c":2,"d":3,"e":4}', TooLarge),
        (SMALL, '[{"a":1},{"a":1},{"a":1},{"a":1}]', '[{"a":1},{"a":1},{"a":1},{"a":1,"b":1}]', TooLarge),
        (LIMITS, "9" * 4000, "9" * 4001, TooLarge),
        (LIMITS, "-" + "9" * 3999, "-" + "9" * 4000, TooLarge),
        (LIMITS, "0." + "1" * 3998, "0." + "1" * 3999, TooLarge),
        (LIMITS, '{"a":[1.' + "0" * 3998 + "]}", '{"a":[1.' + "0" * 3999 + "]}", TooLarge),
        (LIMITS, '"' + "a" * 131_072 + '"', '"' + "a" * 131_073 + '"', TooLarge),
        (LIMITS, '"' + "é" * 65_536 + '"', '"' + "é" * 65_536 + 'a"', TooLarge),
        (LIMITS, '"' + "😀" * 32_768 + '"', '"' + "😀" * 32_768 + 'a"', TooLarge),
        (LIMITS, "{}" + " " * 262_142, "{}" + " " * 262_143, TooLarge),
        (LIMITS, "[" * 64 + "]" * 64, "[" * 65 + "]" * 65, InvalidJson),
        (
            LIMITS,
            "{" + ",".join(f'"{n}":0' for n in range(2000)) + "}",
            "{" + ",".join(f'"{n}":0' for n in range(2001)) + "}",
            TooLarge,
        ),
    ],
)
def test_each_limit_holds_to_the_unit(
    limits: Limits, at_the_limit: str | bytes, beyond: str | bytes, error: type[GatewayError]
) -> None:
    parse(at_the_limit, limits)
    parse_literal(at_the_limit, limits)
    for read in (parse, parse_literal, parse_exact, members):
        with pytest.raises(error):
            read(beyond, limits)


def test_one_below_each_limit_is_taken() -> None:
    parse("[" + " " * 37 + "]", SMALL)
    parse('["' + "a" * 9 + '"]', SMALL)
    parse("[[]]", SMALL)
    parse('{"a":1,"b":2,"c":3}', SMALL)
    parse("9" * 3999)


def test_numbers_keep_their_text() -> None:
    text = '{"price":249.00,"big":12345678901234567890,"e":1E5,"zero":-0.0,"long":1.10}'
    assert parse_literal(text) == {
        "price": Number("249.00"),
        "big": Number("12345678901234567890"),
        "e": Number("1E5"),
        "zero": Number("-0.0"),
        "long": Number("1.10"),
    }
    assert dump_literal(parse_literal(text)) == text


def test_a_plain_number_has_the_type_that_it_looks_like() -> None:
    parsed = require_object('{"a":1,"b":1.0,"c":true,"d":-0.0}')
    assert [type(value) for value in parsed.values()] == [int, float, bool, float]
    assert math.copysign(1, float(str(parsed["d"]))) == -1


def test_exact_numbers_are_neither_rounded_nor_a_crash() -> None:
    assert parse_exact("[0.1,1.10,5]") == [Decimal("0.1"), Decimal("1.10"), 5]
    assert parse_exact("0.30000000000000000001") == Decimal("0.30000000000000000001")
    assert parse_exact("1e-99999999999999999999") == 0


@pytest.mark.parametrize("text", ["[]", "1", '"{}"', "null", "true", '[{"a":1}]'])
def test_a_document_that_is_not_an_object_is_refused_where_one_is_needed(text: str | bytes) -> None:
    with pytest.raises(InvalidJson, match="object is needed"):
        require_object(text)
    with pytest.raises(InvalidJson, match="object is needed"):
        members(text)


def test_members_are_cut_out_byte_for_byte() -> None:
    details = '{ "price" :  249.00, "n":[1 ,2], "s":"\\u00e9\\/}" }'
    body = f' {{"verdict" : "approve",\n"modified_details":\t{details} , "x": -0.0 }} '
    assert members(body) == {
        "verdict": '"approve"',
        "modified_details": details,
        "x": "-0.0",
    }
    assert members(body.encode()) == members(body)
    assert members("{ }") == {}


def test_a_member_is_found_under_its_unescaped_name() -> None:
    assert members('{"modified_d\\u0065tails":{"a":1}}') == {"modified_details": '{"a":1}'}


ANSWER = '{"choices": [ {"message":{"tool_calls":[{"id":"a"}, {"function": {"arguments": {"price": 249.00 } }}]}} ]}'


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("choices", 0, "message", "tool_calls", 1, "function", "arguments"), '{"price": 249.00 }'),
        (("choices", 0, "message", "tool_calls", 0, "id"), '"a"'),
        (("choices", 0, "message", "tool_calls", 1), '{"function": {"arguments": {"price": 249.00 } }}'),
        ((), ANSWER),
        (("choices", 1), None),
        (("choices", -1), None),
        (("choices", "0"), None),
        ((0,), None),
        (("missing",), None),
        (("choices", 0, "message", "tool_calls", 0, "id", 0), None),
        (("choices", 0, "message", "tool_calls", 0, "id", "a"), None),
    ],
)
def test_the_slice_at_a_path_is_the_source_text(path: tuple[str | int, ...], found: str | None) -> None:
    assert slice_at(f" {ANSWER}\n", path) == found


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ('{"a":1,"b":2}', ' { "b" : 2,\n"a":1 } ', True),
        ('"\\u00e9\\/"', '"é/"', True),
        ('{"\\u0061":1}', '{"a":1}', True),
        ("[1,2]", "[2,1]", False),
        ("1.0", "1.00", False),
        ("1e5", "1E5", False),
        ("1", "1.0", False),
        ("0", "-0", False),
        ("1", "true", False),
        ("0", "false", False),
        ('"1"', "1", False),
        ('"true"', "true", False),
        ("{}", "[]", False),
        ("{}", "null", False),
        ('{"a":null}', "{}", False),
        ('""', "null", False),
        ('"\u00e9"', '"e\u0301"', False),
    ],
)
def test_sameness_is_of_structure_and_literals(a: str, b: str, same: bool) -> None:
    assert is_same(a, b) is same
    assert is_same(b, a) is same
    assert (changes(a, b) == ()) is same


def test_an_unreadable_text_is_the_same_as_nothing() -> None:
    for a, b in (("{", "{"), ('{"a":1,"a":1}', '{"a":1}'), ("{}", "")):
        with pytest.raises(InvalidJson):
            is_same(a, b)


def test_changes_name_the_deepest_place_and_keep_numbers_as_written() -> None:
    before = '{"price": 249.00, "items": [{"sku": "a"}, 2], "gone": {"x" : 1E5}, "same": [1.10]}'
    after = '{"same":[1.10], "price": 199.0, "items": [{"sku": "b"}, 2, true], "new": null}'
    assert changes(before, after) == (
        Change("/price", "changed", "249.00", "199.0"),
        Change("/items/0/sku", "changed", '"a"', '"b"'),
        Change("/items/2", "added", None, "true"),
        Change("/gone", "removed", '{"x":1E5}', None),
        Change("/new", "added", None, "null"),
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("1", "2", Change("", "changed", "1", "2")),
        ("{}", "[]", Change("", "changed", "{}", "[]")),
        ("[[1]]", '[{"0":1}]', Change("/0", "changed", "[1]", '{"0":1}')),
        ("[1,2,3]", "[1,2]", Change("/2", "removed", "3", None)),
        ('{"a/b":{"~c":1}}', '{"a/b":{"~c":2}}', Change("/a~1b/~0c", "changed", "1", "2")),
        ('{"":1}', '{"":2}', Change("/", "changed", "1", "2")),
        ('{"a":"é\\n"}', '{"a":"\\u00e8\\n"}', Change("/a", "changed", '"é\\n"', '"è\\n"')),
    ],
)
def test_a_single_change(before: str, after: str, expected: Change) -> None:
    assert changes(before, after) == (expected,)


def test_the_hash_is_of_the_utf8_bytes() -> None:
    assert sha256_hex('{"a":"é"}') == hashlib.sha256(b'{"a":"\xc3\xa9"}').hexdigest()
    assert sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_compact_json_has_no_spaces_and_no_needless_escapes() -> None:
    assert compact({"a": [1, 1.5, True, None], "é": "x y\n"}) == '{"a":[1,1.5,true,null],"é":"x y\\n"}'


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {"a": -math.inf}, "\ud800", {"\udfff": 1}, {1, 2}, b"x", object()]
)
def test_a_value_without_a_json_form_is_refused(value: object) -> None:
    with pytest.raises(InvalidJson, match="cannot be written as JSON"):
        compact(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(InvalidJson):
        compact(value)


def test_a_small_document_is_read_in_microseconds() -> None:
    text = compact(
        {"order": "W123", "items": [{"sku": str(n) * 8, "price": 19.99, "qty": n} for n in range(7)], "ok": True}
    )
    runs = 200
    best_s = min(_seconds_of(runs, text) for _ in range(5)) / runs
    assert len(text) > 300
    assert best_s < 100e-6


def _seconds_of(runs: int, text: str) -> float:
    started_s = time.perf_counter()
    for _ in range(runs):
        parse(text)
    return time.perf_counter() - started_s
