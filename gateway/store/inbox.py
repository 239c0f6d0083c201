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

from sqlalchemy import Select
from sqlalchemy import select as sql_select
from sqlmodel import col, func, or_, select

from gateway.domain.approval import ApprovalStatus
from gateway.domain.permission import NOBODY
from gateway.store import approvals, pages
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Approval

SCAN_ROWS = 5000  # gone through for one page at most
SCAN_BATCH = 500

_T = Rows(Approval).table


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of those that wait are wanted; None and () do not narrow."""

    tool: str | None = None
    app: str | None = None
    job_id: str | None = None
    risks: tuple[str, ...] = ()
    assignee: str | None = None  #: a person's id; NOBODY: those that nobody has taken
    words: tuple[str, ...] = ()  #: each stands in the title, whatever its case

    def matches(self, row: "Key | Approval") -> bool:
        title = row.title.casefold()
        return (
            self.tool in (None, row.action)
            and self.app in (None, row.app)
            and self.job_id in (None, row.job_id)
            and self.assignee in (None, row.assignee or NOBODY)
            and (not self.risks or row.risk in self.risks)
            and all(word.casefold() in title for word in self.words)
        )


class Key(NamedTuple):
    """What a row is found and put in order by."""

    created_at: datetime
    id: str
    action: str
    app: str | None
    job_id: str | None
    risk: str
    assignee: str | None
    title: str


_KEY = sql_select(*(_T.c[name] for name in Key._fields)).where(_T.c.status == ApprovalStatus.PENDING.value)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One page. ``is_cut``: it ends where looking stopped; more may match from ``next_cursor`` on."""

    items: Sequence[Approval]
    next_cursor: str | None
    is_cut: bool = False


def count_expiring(session: Session, by: datetime, at_most: int) -> int:
    """How many nobody can decide any more after ``by``, counted no further than ``at_most``."""
    some = (
        select(Approval.id)
        .where(Approval.status == ApprovalStatus.PENDING, col(Approval.expires_at) <= by)
        .limit(at_most)
        .subquery()
    )
    return session.exec(select(func.count()).select_from(some)).one()


def count_assigned(session: Session, person_id: str, at_most: int) -> int:
    """How many of those that wait this person looks at, counted no further than ``at_most``."""
    some = (
        select(Approval.id)
        .where(Approval.status == ApprovalStatus.PENDING, Approval.assignee == person_id)
        .limit(at_most)
        .subquery()
    )
    return session.exec(select(func.count()).select_from(some)).one()


def waiting(session: Session, wanted: Wanted, *, cursor: str | None, limit: int) -> Waiting:
    """Those that wait, the oldest first. Raises: InvalidRequest for a cursor that is not ours."""
    found: list[Key] = []
    last: Key | None = None
    seen = 0
    for last in islice(_walk_wanted(session, wanted, cursor, limit), SCAN_ROWS):
        seen += 1
        if wanted.matches(last):
            found.append(last)
        if len(found) > limit:
            break
    shown = found[:limit]
    items = approvals.find_heads(session, [key.id for key in shown])
    if len(found) > limit:
        return Waiting(items, _cursor(shown[-1]))
    is_cut = seen == SCAN_ROWS and last is not None
    return Waiting(items, _cursor(last) if is_cut and last else None, is_cut)


def expiring(session: Session, wanted: Wanted, *, by: datetime, limit: int) -> Sequence[Approval]:
    """Those that nobody can decide any more after ``by``, the most urgent first, from among the next few hundred."""
    statement = (
        sql_select(*(_T.c[name] for name in Key._fields))
        .where(_T.c.status == ApprovalStatus.PENDING.value, _T.c.expires_at <= by)
        .order_by(_T.c.expires_at)
        .limit(max(SCAN_BATCH, limit))
    )
    keys = (Key(*row) for row in session.connection().execute(statement))
    return approvals.find_heads(session, [key.id for key in islice(filter(wanted.matches, keys), limit)])


def held(session: Session, wanted: Wanted, *, now: datetime, limit: int) -> Sequence[Approval]:
    """Those that are approved and not released yet, the next one first: they can still be taken back."""
    statement = (
        sql_select(*(_T.c[name] for name in Key._fields))
        .where(_T.c.status == ApprovalStatus.APPROVED.value, _T.c.release_at > now)
        .order_by(_T.c.release_at)
        .limit(SCAN_BATCH)
    )
    keys = (Key(*row) for row in session.connection().execute(statement))
    return approvals.find_heads(session, [key.id for key in islice(filter(wanted.matches, keys), limit)])


def cursor_behind(approval: Approval) -> str:
    """Where the rows after this one begin, whether or not it still waits."""
    return pages.encode_cursor((approval.created_at, approval.id))


def _walk_wanted(session: Session, wanted: Wanted, cursor: str | None, limit: int) -> Iterator[Key]:
    """The rows that one index finds, in the list's order: the narrowest of those that there are."""
    if wanted.job_id is not None:
        begin = [_KEY.where(_T.c.job_id == wanted.job_id)]
    elif wanted.assignee not in (None, NOBODY):
        begin = [_KEY.where(_T.c.assignee == wanted.assignee)]
    elif wanted.tool is not None:
        begin = [_KEY.where(_T.c.action == wanted.tool)]
    elif wanted.app is not None:
        begin = [_KEY.where(_T.c.owner == f"app:{wanted.app}")]
    else:
        # One question for each risk: asked together, all that wait would be sorted.
        begin = [_KEY.where(_T.c.risk == risk) for risk in wanted.risks] or [_KEY]
    after = pages.time_and_id(cursor) if cursor is not None else None
    return heapq.merge(*(_walk(session, one, after, limit + 1) for one in begin))


def _walk(session: Session, begin: Select[Any], after: tuple[datetime, str] | None, size: int) -> Iterator[Key]:
    while True:
        statement = begin.order_by(_T.c.created_at, _T.c.id).limit(size)
        if after is not None:
            at, approval_id = after
            # The first condition alone is what an index can begin at.
            later = or_(col(Approval.created_at) > at, col(Approval.id) > approval_id)
            statement = statement.where(_T.c.created_at >= at, later)
        rows = [Key(*row) for row in session.connection().execute(statement)]
        yield from rows
        if len(rows) < size:
            return
        after, size = (rows[-1].created_at, rows[-1].id), SCAN_BATCH


def _cursor(key: Key) -> str:
    return pages.encode_cursor((key.created_at, key.id))
