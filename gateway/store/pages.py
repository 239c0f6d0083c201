"""Keyset pages: a place in a list is the last row's sort key, so page 10,000 costs what page 1 costs."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from gateway.errors import InvalidRequest

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, and where the next ones begin (None at the end)."""

    items: Sequence[Row]
    next_cursor: str | None


def cut(rows: Sequence[Row], limit: int, key: Callable[[Row], tuple[Any, ...]]) -> Page[Row]:
    """The first ``limit`` of ``rows``, which were asked for with ``limit + 1``."""
    items = rows[:limit]
    return Page(items, encode_cursor(key(items[-1])) if len(rows) > limit else None)


def encode_cursor(key: tuple[Any, ...]) -> str:
    values = [value.isoformat() if isinstance(value, datetime) else value for value in key]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def time_and_id(cursor: str) -> tuple[datetime, str]:
    """The key (time, id) of a cursor. Raises: InvalidRequest when it is not one of ours."""
    values = _decoded(cursor)
    try:
        moment, row_id = values
        at = datetime.fromisoformat(moment)
        # A time that no UTC clock shows, and text that no database takes, were not given out by us either.
        if at.tzinfo is None or not isinstance(row_id, str) or not row_id.isprintable():
            raise _not_ours()
        return at.astimezone(UTC), row_id
    except (ValueError, TypeError, OverflowError) as error:
        raise _not_ours() from error


def number(cursor: str) -> int:
    """The key of a cursor in a list sorted by number. Raises: InvalidRequest when it is not one of ours."""
    values = _decoded(cursor)
    if len(values) != 1 or type(values[0]) is not int or not 0 <= values[0] < 2**63:
        raise _not_ours()
    return values[0]


def _decoded(cursor: str) -> list[Any]:
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _not_ours() from error
    if not isinstance(values, list):
        raise _not_ours()
    return values


def _not_ours() -> InvalidRequest:
    return InvalidRequest("This cursor is not one that a list of ours gave: begin without it.")
