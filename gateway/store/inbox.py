"""What waits for a person, page by page: a page costs the same whether ten wait or a million.

Each question begins at an index that holds its rows in the list's order. What
no index can narrow, such as words in a title, is looked for in the next few
thousand rows; the page after it looks on from there.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, ScalarSelect, Select, bindparam
from sqlalchemy import select as sql_select
from sqlmodel import func, or_

from gateway.domain.approval import ApprovalStatus
from gateway.domain.execution import ExecutionStatus
from gateway.domain.permission import NOBODY
from gateway.store import pages
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution

SCAN_ROWS = 5000  # gone through for one page at most
SCAN_BATCH = 500

_T = Rows(Approval).table
_E = Rows(Execution).table


class Head(NamedTuple):
    """What a list shows of a call, and what it is found and put in order by."""

    created_at: datetime
    id: str
    action: str
    app: str | None
    job_id: str | None
    risk: str
    title: str
    details_sha256: str
    warnings: str
    repeat_of: str | None
    repeats: int
    assignee: str | None
    expires_at: datetime | None
    release_at: datetime | None


_HEAD = sql_select(*(_T.c[name] for name in Head._fields))
_PENDING = _T.c.status == ApprovalStatus.PENDING.value
_LIMIT = bindparam("at_most", type_=Integer)


def _walk_by(*narrowed: ColumnElement[bool]) -> tuple[Prepared, Prepared]:
    """What waits, narrowed so: from the beginning, and from a place on."""
    begin = _HEAD.where(_PENDING, *narrowed).order_by(_T.c.created_at, _T.c.id).limit(_LIMIT)
    # The first condition alone is what an index can begin at.
    later = or_(_T.c.created_at > bindparam("after_at"), _T.c.id > bindparam("after_id"))
    return Prepared(begin), Prepared(begin.where(_T.c.created_at >= bindparam("after_at"), later))


_WALKS = {
    "": _walk_by(),
    **{name: _walk_by(_T.c[name] == bindparam("wanted")) for name in ("job_id", "assignee", "action", "owner", "risk")},
}
_EXPIRING = Prepared(_HEAD.where(_PENDING, _T.c.expires_at <= bindparam("by")).order_by(_T.c.expires_at).limit(_LIMIT))
_HELD = Prepared(
    _HEAD.where(_T.c.status == ApprovalStatus.APPROVED.value, _T.c.release_at > bindparam("now"))
    .order_by(_T.c.release_at)
    .limit(_LIMIT)
)
_IN_DOUBT = Prepared(
    _HEAD.join(_E, _E.c.approval_id == _T.c.id)
    .where(_E.c.status == ExecutionStatus.UNKNOWN.value)
    .order_by(_E.c.started_at)
    .limit(_LIMIT)
)


def _count(some: Select[Any]) -> ScalarSelect[int]:
    return sql_select(func.count()).select_from(some.limit(_LIMIT).subquery()).scalar_subquery()


_COUNTS = Prepared(
    sql_select(
        _count(sql_select(_T.c.id).where(_PENDING)),
        _count(sql_select(_T.c.id).where(_PENDING, _T.c.expires_at <= bindparam("by"))),
        _count(sql_select(_T.c.id).where(_PENDING, _T.c.assignee == bindparam("person_id"))),
    )
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of those that wait are wanted; None and () do not narrow."""

    tool: str | None = None
    app: str | None = None
    job_id: str | None = None
    risks: tuple[str, ...] = ()
    assignee: str | None = None  #: a person's id; NOBODY: those that nobody has taken
    words: tuple[str, ...] = ()  #: each stands in the title, whatever its case

    def matches(self, row: Head) -> bool:
        title = row.title.casefold()
        return (
            self.tool in (None, row.action)
            and self.app in (None, row.app)
            and self.job_id in (None, row.job_id)
            and self.assignee in (None, row.assignee or NOBODY)
            and (not self.risks or row.risk in self.risks)
            and all(word.casefold() in title for word in self.words)
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """One page. ``is_cut``: it ends where looking stopped; more may match from ``next_cursor`` on."""

    items: Sequence[Head]
    next_cursor: str | None
    is_cut: bool = False


def counts(session: Session, *, by: datetime, person_id: str, at_most: int) -> tuple[int, int, int]:
    """How many wait, how many of them nobody can decide any more after ``by``, and how many this person looks at.

    None is counted further than ``at_most``: a badge needs no scan of a million rows.
    """
    [(waiting, expiring, assigned)] = _COUNTS.rows(session, by=by, person_id=person_id, at_most=at_most)
    return waiting, expiring, assigned


def waiting(session: Session, wanted: Wanted, *, cursor: str | None, limit: int) -> Waiting:
    """Those that wait, the oldest first. Raises: InvalidRequest for a cursor that is not ours."""
    found: list[Head] = []
    last: Head | None = None
    seen = 0
    for last in islice(_walk_wanted(session, wanted, cursor, limit), SCAN_ROWS):
        seen += 1
        if wanted.matches(last):
            found.append(last)
        if len(found) > limit:
            break
    items = found[:limit]
    if len(found) > limit:
        return Waiting(items, cursor_behind(items[-1]))
    is_cut = seen == SCAN_ROWS and last is not None
    return Waiting(items, cursor_behind(last) if is_cut and last else None, is_cut)


def expiring(session: Session, wanted: Wanted, *, by: datetime, limit: int) -> list[Head]:
    """Those that nobody can decide any more after ``by``, the most urgent first, from among the next few hundred."""
    return _first(_EXPIRING.rows(session, by=by, at_most=max(SCAN_BATCH, limit)), wanted, limit)


def held(session: Session, wanted: Wanted, *, now: datetime, limit: int) -> list[Head]:
    """Those that are approved and not released yet, the next one first: they can still be taken back."""
    return _first(_HELD.rows(session, now=now, at_most=SCAN_BATCH), wanted, limit)


def in_doubt(session: Session, wanted: Wanted, *, limit: int) -> list[Head]:
    """Those whose call may have run, the oldest first: a person must settle them."""
    return _first(_IN_DOUBT.rows(session, at_most=SCAN_BATCH), wanted, limit)


def cursor_behind(row: Head | Approval) -> str:
    """Where the rows after this one begin, whether or not it still waits."""
    return pages.encode_cursor((row.created_at, row.id))


def _first(rows: Sequence[tuple[Any, ...]], wanted: Wanted, limit: int) -> list[Head]:
    return list(islice(filter(wanted.matches, (Head(*row) for row in rows)), limit))


def _walk_wanted(session: Session, wanted: Wanted, cursor: str | None, limit: int) -> Iterator[Head]:
    """The rows that one index finds, in the list's order: the narrowest of those that there are."""
    if wanted.job_id is not None:
        walks = [("job_id", wanted.job_id)]
    elif wanted.assignee is not None and wanted.assignee != NOBODY:
        walks = [("assignee", wanted.assignee)]
    elif wanted.tool is not None:
        walks = [("action", wanted.tool)]
    elif wanted.app is not None:
        walks = [("owner", f"app:{wanted.app}")]
    else:
        # One question for each risk: asked together, all that wait would be sorted.
        walks = [("risk", risk) for risk in wanted.risks] or [("", "")]
    after = pages.time_and_id(cursor) if cursor is not None else None
    return heapq.merge(*(_walk(session, by, value, after, limit + 1) for by, value in walks))


def _walk(session: Session, by: str, value: str, after: tuple[datetime, str] | None, size: int) -> Iterator[Head]:
    begin, go_on = _WALKS[by]
    narrowed = {"wanted": value} if by else {}
    while True:
        if after is None:
            found = begin.rows(session, at_most=size, **narrowed)
        else:
            found = go_on.rows(session, at_most=size, after_at=after[0], after_id=after[1], **narrowed)
        rows = [Head(*row) for row in found]
        yield from rows
        if len(rows) < size:
            return
        after, size = (rows[-1].created_at, rows[-1].id), SCAN_BATCH
