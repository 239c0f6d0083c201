"""JSON as Countersign takes it: strict when it is read, exact about its bytes."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeAlias, cast

from gateway.domain import json_pointer
from gateway.domain.json_scanner import LIMITS, Limits, decode, scan
from gateway.errors import InvalidJson

__all__ = [
    "LIMITS",
    "ExactValue",
    "JsonValue",
    "Limits",
    "LiteralValue",
    "Number",
    "compact",
    "dump_literal",
    "elements",
    "entries",
    "lenient_slice_at",
    "members",
    "parse",
    "parse_exact",
    "parse_literal",
    "place_at",
    "place_of",
    "require_object",
    "slice_at",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written: ``249.00`` is not ``249.0``, and no number equals a bool."""

    literal: str


JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
LiteralValue: TypeAlias = "dict[str, LiteralValue] | list[LiteralValue] | str | Number | bool | None"
ExactValue: TypeAlias = "dict[str, ExactValue] | list[ExactValue] | str | int | Decimal | bool | None"


def parse(text: str | bytes, limits: Limits = LIMITS) -> JsonValue:
    """The document as plain Python values.

    Raises: InvalidJson with the reason and its place (line and column, or JSON
    Pointer); TooLarge if it is beyond ``limits``. Nothing else, whatever the text.
    """
    return cast("JsonValue", scan(decode(text, limits), limits, int, float))


def parse_literal(text: str | bytes, limits: Limits = LIMITS) -> LiteralValue:
    """The document with every number as ``Number``. Takes and refuses the same texts as ``parse``."""
    return cast("LiteralValue", scan(decode(text, limits), limits, Number, Number))


def parse_exact(text: str | bytes, limits: Limits = LIMITS) -> ExactValue:
    """The document with every fraction as ``Decimal``. Takes and refuses the same texts as ``parse``."""
    return cast("ExactValue", scan(decode(text, limits), limits, int, _decimal))


def require_object(text: str | bytes, limits: Limits = LIMITS) -> dict[str, JsonValue]:
    """The document as a dict. Raises: as ``parse``; InvalidJson too if it is not an object."""
    value = parse(text, limits)
    if not isinstance(value, dict):
        raise InvalidJson(_NOT_AN_OBJECT)
    return value


def members(text: str | bytes, limits: Limits = LIMITS) -> dict[str, str]:
    """The exact source text of each top-level member's value, by its name.

    Raises: as ``parse``; InvalidJson too if the document is not an object.
    """
    source = decode(text, limits)
    if not isinstance(scan(source, limits, str, str), dict):
        raise InvalidJson(_NOT_AN_OBJECT)
    return {str(name): source[start:end] for name, start, end in entries(source, _skip_space(source, 0))}


def elements(text: str | bytes, limits: Limits = LIMITS) -> list[str]:
    """The exact source text of each item of an array.

    Raises: as ``parse``; InvalidJson too if the document is not an array.
    """
    source = decode(text, limits)
    if not isinstance(scan(source, limits, str, str), list):
        raise InvalidJson("A JSON array is needed here: [value, ...].")
    return [source[start:end] for _, start, end in entries(source, _skip_space(source, 0))]


def slice_at(text: str | bytes, path: Sequence[str | int], limits: Limits = LIMITS) -> str | None:
    """The exact source text of the value at ``path``, None if there is no such value. Raises: as ``parse``."""
    source = decode(text, limits)
    scan(source, limits, str, str)
    return lenient_slice_at(source, path)


def lenient_slice_at(text: str, path: Sequence[str | int]) -> str | None:
    """As ``slice_at``, of a text that the json module has read: strict or not, of equal keys the last one counts."""
    place = place_at(text, path)
    return None if place is None else text[slice(*place)]


def place_at(text: str, path: Sequence[str | int]) -> tuple[int, int] | None:
    """Start and end of the value at ``path``, in a text that the json module has read."""
    return _descend(text, path, lambda name, step: name == step)


def place_of(text: str, pointer: str) -> tuple[int, int] | None:
    """As ``place_at``, of a JSON Pointer, whose digits are an index in an array and a name in an object."""
    return _descend(text, json_pointer.to_path(pointer), lambda name, step: str(name) == step)


def _descend(
    text: str, path: Sequence[str | int], is_step: Callable[[str | int, str | int], bool]
) -> tuple[int, int] | None:
    start = _skip_space(text, 0)
    for step in path:
        found = [at for name, at, _ in entries(text, start) if is_step(name, step)]
        if not found:
            return None
        start = found[-1]
    _, end = _SKIMMER.raw_decode(text, start)
    return start, end


def compact(value: object) -> str:
    """The value as JSON without spaces, other scripts unescaped. Raises: InvalidJson if it has no such form."""
    try:
        text = _ENCODER.encode(value)
        text.encode()  # a lone surrogate passes the encoder and would break every later step
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidJson(f"This value cannot be written as JSON: {error}.") from None
    return text


def dump_literal(value: LiteralValue) -> str:
    """The value as JSON without spaces, each number as it was written."""
    match value:
        case Number():
            return value.literal
        case dict():
            return "{" + ",".join(f"{compact(key)}:{dump_literal(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(dump_literal, value)) + "]"
        case _:
            return compact(value)


_NOT_AN_OBJECT = 'A JSON object is needed here: {"name": value, ...}.'

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_SKIMMER = json.JSONDecoder(parse_int=str, parse_float=str)  # finds where values end
_SPACE = re.compile(r"[ \t\n\r]*")


def entries(text: str, start: int) -> Iterator[tuple[str | int, int, int]]:
    """Name or index, start and end of each child of the value at ``start``, in a text that is known to be valid."""
    if text[start] not in "{[":
        return
    is_object, index = text[start] == "{", 0
    at = _skip_space(text, start + 1)
    while text[at] not in "]}":
        name: str | int = index
        if is_object:
            name, at = _SKIMMER.raw_decode(text, at)
            at = _skip_space(text, _skip_space(text, at) + 1)
        _, end = _SKIMMER.raw_decode(text, at)
        yield name, at, end
        at = _skip_space(text, end)
        if text[at] == ",":
            at = _skip_space(text, at + 1)
        index += 1


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _decimal(literal: str) -> Decimal:
    try:
        return Decimal(literal)
    except InvalidOperation:  # an exponent below -10**18: float() makes it 0 as well
        return Decimal(0)
