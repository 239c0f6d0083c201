"""Arguments keep their bytes and their meaning, whatever they look like: properties over generated texts."""

import json
import math
from copy import deepcopy
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.arguments import Change, changes, is_same
from gateway.domain.json_text import (
    LiteralValue,
    Number,
    dump_literal,
    members,
    parse,
    parse_exact,
    parse_literal,
    slice_at,
)
from gateway.errors import InvalidJson, TooLarge

steady = settings(max_examples=250, deadline=None, derandomize=True)

LITERALS = ["0", "-0", "-0.0", "249.00", "1.10", "1E5", "1e+05", "12345678901234567890", "0.1e-7", "-1.0E-2", "1e-999"]
numbers = st.builds(
    Number,
    st.sampled_from(LITERALS)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
strings = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
keys = st.sampled_from(["a", "b", "a/b", "~1", "0", "", "é", "😀", 'q"']) | strings
trees = st.recursive(
    st.none() | st.booleans() | numbers | strings,
    lambda child: st.lists(child, max_size=4) | st.dictionaries(keys, child, max_size=4),
    max_leaves=12,
)
writers = st.integers(0, 2**32).map(Random)


@steady
@given(trees, writers)
def test_values_are_those_of_the_json_module(tree: LiteralValue, writer: Random) -> None:
    text = write(tree, writer)
    assert repr(parse(text)) == repr(json.loads(text))
    assert repr(parse(text.encode())) == repr(json.loads(text))


@steady
@given(trees, writers)
def test_number_literals_survive_reading_and_writing(tree: LiteralValue, writer: Random) -> None:
    text = write(tree, writer)
    assert parse_literal(text) == tree
    compact_text = dump_literal(tree)
    assert parse_literal(compact_text) == tree
    assert dump_literal(parse_literal(compact_text)) == compact_text


@steady
@given(trees)
def test_exact_numbers_equal_their_literals(tree: LiteralValue) -> None:
    exact = parse_exact(dump_literal(tree))
    assert repr(exact) == repr(json.loads(dump_literal(tree), parse_float=Decimal))


@steady
@given(st.dictionaries(keys, trees, max_size=5), writers)
def test_members_are_byte_identical_to_what_was_sent(tree: dict[str, LiteralValue], writer: Random) -> None:
    sent = {key: write(value, writer).strip(" \t\r\n") for key, value in tree.items()}
    body = write_object(sent, writer)
    assert members(body) == sent
    assert members(body.encode()) == sent
    for key, text in sent.items():
        assert slice_at(body, (key,)) == text


@steady
@given(trees, writers)
def test_every_slice_is_source_text_of_its_value(tree: LiteralValue, writer: Random) -> None:
    text = write(tree, writer)
    for path, value in walk(tree):
        found = slice_at(text, path)
        assert found is not None
        assert found in text
        assert parse_literal(found) == value
        if path:
            parent = slice_at(text, path[:-1])
            assert parent is not None
            assert slice_at(parent, path[-1:]) == found
            assert slice_at(text, (*path, "no such key")) is None
            assert slice_at(text, (*path, 99)) is None


@steady
@given(trees, writers, writers)
def test_two_spellings_of_one_document_are_the_same(tree: LiteralValue, writer: Random, other: Random) -> None:
    a_text, b_text = write(tree, writer), write(tree, other)
    assert is_same(a_text, b_text)
    assert changes(a_text, b_text) == ()


@steady
@given(trees, trees, writers)
def test_changes_are_empty_exactly_when_the_same(a: LiteralValue, b: LiteralValue, writer: Random) -> None:
    a_text, b_text = write(a, writer), write(b, writer)
    assert (changes(a_text, b_text) == ()) == is_same(a_text, b_text) == (a == b)


@steady
@given(trees, trees, writers)
def test_applying_the_changes_gives_the_edited_document(a: LiteralValue, b: LiteralValue, writer: Random) -> None:
    found = changes(write(a, writer), write(b, writer))
    assert apply(a, found) == b
    assert len({change.pointer for change in found}) == len(found)


@steady
@given(trees, writers)
def test_one_edited_leaf_is_one_change(tree: LiteralValue, writer: Random) -> None:
    leaves = [path for path, value in walk(tree) if not isinstance(value, dict | list)]
    if not leaves:
        return
    path = writer.choice(leaves)
    edited = replaced(tree, path, "longer than any generated string")
    (change,) = changes(write(tree, writer), write(edited, writer))
    assert change.kind == "changed"
    assert change.pointer == pointer(path)
    assert change.before == dump_literal(value_at(tree, path))


@steady
@given(trees, writers, st.integers(0, 3))
def test_damaged_text_is_taken_exactly_when_a_plain_check_takes_it(
    tree: LiteralValue, writer: Random, damages: int
) -> None:
    text = write(tree, writer)
    for _ in range(damages):
        text = damaged(text, writer)
    accepted = is_plainly_strict(text)
    assert is_taken(parse, text) == accepted
    assert is_taken(parse_literal, text) == accepted
    assert is_taken(parse_exact, text) == accepted
    assert is_taken(lambda text: slice_at(text, ()), text) == accepted
    assert is_taken(members, text) == (accepted and isinstance(json.loads(text), dict))


@steady
@given(st.text(st.characters(), max_size=40) | st.text('{}[]",:\\u0d8e1. \n', max_size=40) | st.binary(max_size=40))
def test_any_text_is_read_or_refused_and_never_a_crash(text: str | bytes) -> None:
    assert is_taken(parse, text) == is_taken(parse_literal, text) == is_taken(parse_exact, text)


ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
MUST_ESCAPE = {'"', "\\", *map(chr, range(0x20))}


def write(tree: LiteralValue, writer: Random) -> str:
    """One of the many texts of the document: random spaces, order of keys and escapes."""
    match tree:
        case dict():
            names = list(tree)
            writer.shuffle(names)
            return write_object({name: write(tree[name], writer) for name in names}, writer)
        case list():
            return _spread(["[", *_comma_separated([[write(item, writer)] for item in tree]), "]"], writer)
        case str():
            return _spread([write_string(tree, writer)], writer)
        case _:
            return _spread([dump_literal(tree)], writer)


def write_object(texts: dict[str, str], writer: Random) -> str:
    parts = [[write_string(key, writer), ":", text] for key, text in texts.items()]
    return _spread(["{", *_comma_separated(parts), "}"], writer)


def write_string(text: str, writer: Random) -> str:
    return '"' + "".join(_write_character(character, writer) for character in text) + '"'


def _write_character(character: str, writer: Random) -> str:
    style = writer.random()
    if character in ESCAPES and style < 0.4:
        return ESCAPES[character]
    if character in MUST_ESCAPE or style < 0.6:
        units = character.encode("utf-16-be")
        form = "\\u{:04x}" if style < 0.5 else "\\u{:04X}"
        return "".join(form.format(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2))
    return character


def _comma_separated(parts: list[list[str]]) -> list[str]:
    return [token for at, part in enumerate(parts) for token in ([",", *part] if at else part)]


def _spread(tokens: list[str], writer: Random) -> str:
    gaps = ["", "", "", " ", "\n  ", "\t", "\r\n"]
    return writer.choice(gaps) + "".join(token + writer.choice(gaps) for token in tokens)


def walk(tree: LiteralValue, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], LiteralValue]]:
    children: list[tuple[str | int, LiteralValue]] = []
    if isinstance(tree, dict):
        children = list(tree.items())
    elif isinstance(tree, list):
        children = list(enumerate(tree))
    return [(path, tree), *(found for step, child in children for found in walk(child, (*path, step)))]


def pointer(path: tuple[str | int, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def value_at(tree: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def replaced(tree: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    copy = deepcopy(tree)
    value_at(copy, path[:-1])[path[-1]] = value
    return copy


def apply(tree: LiteralValue, found: tuple[Change, ...]) -> Any:
    """The document after the changes, read as a JSON Patch would be; the end of a list goes first."""
    root = {"": deepcopy(tree)}
    for change in [*reversed([c for c in found if c.kind == "removed"]), *(c for c in found if c.kind != "removed")]:
        steps = ["", *(step.replace("~1", "/").replace("~0", "~") for step in change.pointer.split("/")[1:])]
        parent: Any = root
        for step in steps[:-1]:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        last: Any = int(steps[-1]) if isinstance(parent, list) else steps[-1]
        if change.kind == "removed":
            assert change.after is None
            assert parent.pop(last) == parse_literal(change.before or "")
        elif change.kind == "added" and isinstance(parent, list):
            assert last == len(parent)
            parent.append(parse_literal(change.after or ""))
        else:
            assert (change.kind == "added") == (change.before is None)
            parent[last] = parse_literal(change.after or "")
    return root[""]


def damaged(text: str, writer: Random) -> str:
    """The text with one piece lost, repeated or put in."""
    start = writer.randrange(len(text) + 1)
    end = min(len(text), start + writer.randrange(1, 6))
    pieces = [
        "",
        text[start:end] * 2,
        "\0",
        "\ud800",
        "\\ud800",
        "\\u0000",
        '"',
        ",",
        "1",
        "NaN",
        "e999",
        "{}",
        "\ufeff",
    ]
    return text[:start] + writer.choice(pieces) + text[end:]


def is_plainly_strict(text: str) -> bool:
    """The same rules as ours, written the slow and obvious way."""
    try:
        text.encode()
        value = json.loads(text, object_pairs_hook=_plain_object, parse_constant=_refuse)
    except ValueError:
        return False
    strings: list[str] = []
    _collect_strings(value, strings)
    return not any("\0" in string or not _is_unicode(string) for string in strings)


def _plain_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _collect_strings(value: Any, strings: list[str]) -> None:
    match value:
        case str():
            strings.append(value)
        case float() if math.isinf(value):
            strings.append("\0")
        case list():
            for item in value:
                _collect_strings(item, strings)
        case dict():
            for key, item in value.items():
                strings.append(key)
                _collect_strings(item, strings)


def _is_unicode(string: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in string)


def is_taken(read: Any, text: str | bytes) -> bool:
    try:
        read(text)
    except (InvalidJson, TooLarge):
        return False
    return True
