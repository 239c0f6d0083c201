"""Decisions as CSV or as one JSON document per line, streamed from the oldest on."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool

from gateway.api.answers import dump, spliced
from gateway.api.decision_view import COLUMNS, columns_of, secrets_of
from gateway.store import decisions
from gateway.store.decisions import Filter
from gateway.usecases.gateway import Gateway

#: What stands in the columns of each decision, secrets masked.
Rows = Sequence[Mapping[str, Any]]

_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")

#: With these a cell would be a formula in a spreadsheet. Source: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


async def stream(
    gateway: Gateway, wanted: Filter, header: bytes, encode: Callable[[Rows], bytes]
) -> AsyncIterator[bytes]:
    """The whole export. No connection is held while the reader is slow: each batch is read by itself.

    The table only grows, so nothing is missed or shown twice.
    """
    yield header
    after = 0
    while rows := await run_in_threadpool(_batch, gateway, wanted, after):
        yield await run_in_threadpool(encode, rows)
        after = rows[-1]["seq"]


def csv_header() -> bytes:
    return _csv([COLUMNS])


def csv_lines(rows: Rows) -> bytes:
    """One line each, in the order of ``COLUMNS``; no cell begins like a formula."""
    return _csv([[_cell(row[column]) for column in COLUMNS] for row in rows])


def json_lines(rows: Rows) -> bytes:
    """One line each. An edit keeps its line breaks in the database; in JSON they stand only between tokens."""
    views = ({**row, "modified_details": spliced(row["modified_details"])} for row in rows)
    return b"".join(dump(view).translate(_ON_ONE_LINE) + b"\n" for view in views)


def _batch(gateway: Gateway, wanted: Filter, after: int) -> Rows:
    with gateway.database.read() as session:
        rows = next(decisions.batches(session, wanted, after=after), ())
        secrets = secrets_of(session, rows)
    return [columns_of(row, secrets.get(row.approval_id, ())) for row in rows]


def _csv(lines: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case str() if value.startswith(_FORMULA_STARTS):
            return f"'{value}"
        case _:
            return str(value)
