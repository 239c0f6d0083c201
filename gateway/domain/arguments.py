"""The arguments of a call as the bytes they are: what identifies them, what an edit changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from gateway.domain import json_pointer
from gateway.domain.json_text import LIMITS, Limits, LiteralValue, dump_literal, parse_literal


def sha256_hex(text: str) -> str:
    """The SHA-256 of the text's UTF-8 bytes, in 64 hexadecimal digits: what a decision is bound to."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_same(a_text: str, b_text: str, limits: Limits = LIMITS) -> bool:
    """True when both mean the same call: equal in structure, strings and number literals.

    White space, the order of keys and the way a string is escaped do not count;
    ``1.0`` and ``1.00`` differ. Raises: as ``json_text.parse``.
    """
    return parse_literal(a_text, limits) == parse_literal(b_text, limits)


def call_sha256(action: str, details: str, limits: Limits = LIMITS) -> str:
    """What two calls have in common exactly when they are of the same tool and ``is_same`` holds of their arguments.

    Raises: as ``json_text.parse``.
    """
    return sha256_hex(f"{action}\n{dump_literal(_in_order(parse_literal(details, limits)))}")


def _in_order(value: LiteralValue) -> LiteralValue:
    match value:
        case dict():
            return {key: _in_order(value[key]) for key in sorted(value)}
        case list():
            return [_in_order(item) for item in value]
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Change:
    """One place where two documents differ. ``before`` and ``after`` are compact JSON, numbers as written."""

    pointer: str
    kind: Literal["added", "removed", "changed"]
    before: str | None
    after: str | None


def changes(before_text: str, after_text: str, limits: Limits = LIMITS) -> tuple[Change, ...]:
    """Every difference at the deepest place that holds it, in the order of the first document.

    Objects are compared by key, arrays by index. Empty exactly when ``is_same``.
    Raises: as ``json_text.parse``.
    """
    return tuple(_compare((), parse_literal(before_text, limits), parse_literal(after_text, limits)))


def _compare(path: tuple[str | int, ...], before: LiteralValue, after: LiteralValue) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _compare_children(path, before, after)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_children(path, dict(enumerate(before)), dict(enumerate(after)))
    else:
        yield Change(json_pointer.from_path(path), "changed", dump_literal(before), dump_literal(after))


def _compare_children(
    path: tuple[str | int, ...], before: dict[Any, LiteralValue], after: dict[Any, LiteralValue]
) -> Iterator[Change]:
    for step in before | after:
        place = (*path, step)
        if step not in after:
            yield Change(json_pointer.from_path(place), "removed", dump_literal(before[step]), None)
        elif step not in before:
            yield Change(json_pointer.from_path(place), "added", None, dump_literal(after[step]))
        else:
            yield from _compare(place, before[step], after[step])
