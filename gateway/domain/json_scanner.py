"""The strict reading of JSON: what is taken, what is refused, and where the flaw is.

RFC 8259 leaves it to each reader what duplicate keys, lone surrogates or numbers
out of range mean. Two readers that choose differently would show one call and
run another, so such texts are refused here (RFC 7493 asks senders for the same).

The scanning is done in C by the json module. Its hooks see objects, numbers and
NaN; what they cannot see (size, depth, the inside of strings) is checked around it.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.domain import json_pointer
from gateway.domain.shortening import shorten
from gateway.errors import InvalidJson, TooLarge


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a document may be. Sizes are UTF-8 bytes; keys are counted over the whole document."""

    max_bytes: int = 256 * 1024
    max_string_bytes: int = 128 * 1024
    max_depth: int = 64  # stay well below Python's recursion limit of 1,000
    max_keys: int = 2000


LIMITS = Limits()

MAX_NUMBER_CHARS = 4000  # int() refuses more than 4,300 digits
MAX_QUOTED_CHARS = 100  # of a key or number in a message


def decode(source: str | bytes, limits: Limits) -> str:
    """The text, which is Unicode of an allowed size without a byte order mark."""
    if len(source) > limits.max_bytes:
        raise _too_many_bytes(limits)
    if isinstance(source, bytes):
        try:
            text = source.decode()
        except UnicodeDecodeError as error:
            raise InvalidJson(f"Not valid JSON: byte {error.start + 1} is not valid UTF-8.") from None
    else:
        text = source
        try:
            size = len(text) if text.isascii() else len(text.encode())
        except UnicodeEncodeError as error:
            raise _invalid_at(text, error.start, "half of a surrogate pair") from None
        if size > limits.max_bytes:
            raise _too_many_bytes(limits)
    if text.startswith("\ufeff"):
        raise _invalid_at(text, 0, "a byte order mark")
    return text


def scan(text: str, limits: Limits, to_int: Callable[[str], Any], to_real: Callable[[str], Any]) -> Any:
    """The tree of ``text``, strictly read. Numbers go through ``to_int`` and ``to_real``."""
    _check_depth(text, limits.max_depth)
    hooks = _Hooks(limits, to_int, to_real)
    decoder = json.JSONDecoder(
        object_pairs_hook=hooks.build_object,
        parse_int=hooks.read_int,
        parse_float=hooks.read_real,
        parse_constant=hooks.refuse_constant,
    )
    try:
        tree = decoder.decode(text)
    except json.JSONDecodeError as error:
        reason = error.msg.removesuffix(" at").removesuffix(" starting")
        raise _invalid_at(text, error.pos, reason[:1].lower() + reason[1:]) from None
    may_hold_long_string = len(text) > limits.max_string_bytes // 4  # a character has up to 4 bytes
    if hooks.has_flaw or may_hold_long_string or _SUSPICIOUS_ESCAPE.search(text):
        _refuse_flaws(tree, (), limits)
    return tree


# Possessive, and the closing quote optional: linear on every text, broken ones too.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]}]', re.DOTALL)
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # NUL and surrogates, paired ones too
_SURROGATE = re.compile("[\ud800-\udfff]")


def _check_depth(text: str, max_depth: int) -> None:
    """Refuse deep nesting before the scanner, which recurses, sees it."""
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        bracket = text[token.start()]
        if bracket in "[{":
            depth += 1
            if depth > max_depth:
                raise _invalid_at(text, token.start(), f"more than {max_depth} levels of nesting")
        elif bracket in "]}":
            depth -= 1


_PREFIX = {InvalidJson: "Not valid JSON", TooLarge: "Too large"}


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the tree where a value was refused: hooks do not know their place, the tree does."""

    error: type[InvalidJson] | type[TooLarge]
    reason: str


@dataclass(slots=True)
class _Hooks:
    """What the scanner calls for each object, number and constant."""

    limits: Limits
    to_int: Callable[[str], Any]
    to_real: Callable[[str], Any]
    keys: int = 0
    has_flaw: bool = False

    def build_object(self, pairs: list[tuple[str, Any]]) -> Any:
        self.keys += len(pairs)
        if self.keys > self.limits.max_keys:
            raise TooLarge(f"Too large: the JSON has more than {self.limits.max_keys} keys.")
        built = dict(pairs)
        if len(built) == len(pairs):
            return built
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        return self._flaw(InvalidJson, f"duplicate key {shorten(json.dumps(key), MAX_QUOTED_CHARS)}")

    def read_int(self, literal: str) -> Any:
        if len(literal) > MAX_NUMBER_CHARS:
            return self._long_number()
        return self.to_int(literal)

    def read_real(self, literal: str) -> Any:
        if len(literal) > MAX_NUMBER_CHARS:
            return self._long_number()
        if math.isinf(float(literal)):
            return self._flaw(
                InvalidJson, f"{shorten(literal, MAX_QUOTED_CHARS)} is beyond the range of a 64-bit float"
            )
        return self.to_real(literal)

    def refuse_constant(self, name: str) -> Any:
        return self._flaw(InvalidJson, f"{name} is not a JSON value")

    def _long_number(self) -> _Flaw:
        return self._flaw(TooLarge, f"a number of more than {MAX_NUMBER_CHARS} characters")

    def _flaw(self, error: type[InvalidJson] | type[TooLarge], reason: str) -> _Flaw:
        self.has_flaw = True
        return _Flaw(error, reason)


def _refuse_flaws(node: Any, path: tuple[str | int, ...], limits: Limits) -> None:
    """Raise for the first flaw in the tree, with its JSON Pointer."""
    match node:
        case _Flaw():
            _refuse(node, path)
        case str():
            _refuse(_string_flaw(node, limits), path)
        case list():
            for index, item in enumerate(node):
                _refuse_flaws(item, (*path, index), limits)
        case dict():
            for key, item in node.items():
                _refuse(_string_flaw(key, limits), path)
                _refuse_flaws(item, (*path, key), limits)


def _string_flaw(text: str, limits: Limits) -> _Flaw | None:
    if "\0" in text:
        return _Flaw(InvalidJson, "the character U+0000")
    if _SURROGATE.search(text):
        return _Flaw(InvalidJson, "half of a surrogate pair")
    if len(text) > limits.max_string_bytes // 4 and len(text.encode()) > limits.max_string_bytes:
        return _Flaw(TooLarge, f"a string of more than {limits.max_string_bytes} bytes")
    return None


def _refuse(flaw: _Flaw | None, path: tuple[str | int, ...]) -> None:
    if flaw:
        pointer = json_pointer.from_path(path)
        place = shorten(json.dumps(pointer, ensure_ascii=False), MAX_QUOTED_CHARS) if path else "the top level"
        raise flaw.error(f"{_PREFIX[flaw.error]}: {flaw.reason}, at {place}.", pointer=pointer)


def _invalid_at(text: str, position: int, reason: str) -> InvalidJson:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return InvalidJson(f"Not valid JSON: {reason}, at line {line}, column {column}.", line=line, column=column)


def _too_many_bytes(limits: Limits) -> TooLarge:
    return TooLarge(f"Too large: the JSON has more than {limits.max_bytes} bytes.")
