"""The append-only table of decisions and its single-row head."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Integer, Table, bindparam, insert, type_coerce, update
from sqlalchemy import select as sql_select
from sqlalchemy.types import NullType
from sqlmodel import col, func, or_, select

from gateway.domain.approval import ApprovalStatus, Verdict
from gateway.domain.chain import entry_hash
from gateway.store import pages
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision, DecisionHead

STREAM_BATCH = 500
SQLITE_TIME = "%Y-%m-%d %H:%M:%S.%f"

_ROWS = Rows(Decision)
_T = _ROWS.table
_HEAD: Table = DecisionHead.__table__  # type: ignore[attr-defined]
_SELECT = sql_select(*_ROWS.columns)
_INSERT = Prepared(insert(_T), [column.name for column in _T.c])
_LOCK_HEAD = Prepared(sql_select(_HEAD.c.seq, _HEAD.c.hash).with_for_update())
_MOVE_HEAD = Prepared(update(_HEAD).where(_HEAD.c.seq == bindparam("from_seq")), ("seq", "hash", "at"))
_FIND = Prepared(_SELECT.where(_T.c.id == bindparam("decision_id")))
_OF_APPROVAL = Prepared(_SELECT.where(_T.c.approval_id == bindparam("approval_id")).order_by(_T.c.seq))
_LAST_OF_ACTION = Prepared(
    _SELECT.where(_T.c.action == bindparam("action"))
    .order_by(_T.c.seq.desc())
    .limit(bindparam("at_most", type_=Integer))
)
_LAST_RULING = Prepared(
    _SELECT.where(
        _T.c.approval_id == bindparam("approval_id"),
        _T.c.verdict != Verdict.RESOLVE.value,
        _T.c.verdict != Verdict.EXTEND.value,
    )
    .order_by(_T.c.seq.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A decision that is about to be appended, in the columns' names."""

    id: str
    at: datetime
    approval_id: str
    job_id: str | None
    app: str | None
    origin: str
    action: str
    verdict: str
    is_final: bool
    actor_kind: str
    actor_id: str | None
    actor_name: str | None
    actor_role: str | None = None
    channel: str | None = None
    rule_id: str | None = None
    rule_version: int | None = None
    details_sha256: str
    effective_sha256: str | None = None
    modified_details: str | None = None
    note: str | None = None
    reason_code: str | None = None
    response: str | None = None
    waited_ms: int


_WRITTEN = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which decisions are wanted; None and "" do not narrow."""

    since: datetime | None = None
    until: datetime | None = None
    action: str | None = None
    reviewer: str | None = None  #: e-mail, name or id of the person
    verdict: str | None = None
    rule: str | None = None
    job_id: str | None = None
    approval_id: str | None = None
    app: str | None = None
    released_by: datetime | None = None  #: leaves out approvals that could still be undone at this time
    q: str | None = None  #: words in note, action, response or the edited arguments


def append(session: Session, entries: Sequence[Entry]) -> None:
    """These decisions stand at the end of the chain, in this order.

    Call it last: the head's row lock is held until the transaction ends, and
    every decision in the database waits for it.
    """
    if not entries:
        return
    # What the entries speak of is written before the one lock that all decisions share is taken.
    session.save_changes()
    [(from_seq, prev_hash)] = _LOCK_HEAD.rows(session)
    rows: list[dict[str, Any]] = []
    for seq, entry in enumerate(entries, start=from_seq + 1):
        row = {name: getattr(entry, name) for name in _WRITTEN}
        row |= {"seq": seq, "prev_hash": prev_hash}
        row["entry_hash"] = prev_hash = entry_hash(prev_hash, row)
        rows.append(row)
    _INSERT.send_each(session, rows)
    last = rows[-1]
    _MOVE_HEAD.send(session, written=1, from_seq=from_seq, seq=last["seq"], hash=last["entry_hash"], at=last["at"])


def head(session: Session) -> DecisionHead | None:
    """Where the log ends; None if somebody has deleted the one row that says so."""
    return session.exec(select(DecisionHead)).first()


def find(session: Session, decision_id: str) -> Decision | None:
    found = _FIND.row(session, decision_id=decision_id)
    return _ROWS.make(found) if found else None


def last_of_action(session: Session, action: str, limit: int) -> Sequence[Decision]:
    """The last decisions about calls of this tool, the newest first."""
    return [_ROWS.make(values) for values in _LAST_OF_ACTION.rows(session, action=action, at_most=limit)]


def last_ruling(session: Session, approval_id: str) -> Decision | None:
    """The last decision that moved this approval: out of pending, or back to it."""
    found = _LAST_RULING.row(session, approval_id=approval_id)
    return _ROWS.make(found) if found else None


def find_many(session: Session, decision_ids: Sequence[str]) -> dict[str, Decision]:
    if len(decision_ids) == 1:
        row = find(session, decision_ids[0])
        return {row.id: row} if row else {}
    rows = session.exec(select(Decision).where(col(Decision.id).in_(decision_ids))).all()
    return {row.id: row for row in rows}


def of_approval(session: Session, approval_id: str) -> Sequence[Decision]:
    """Every decision about the approval, the first one first."""
    return [_ROWS.make(values) for values in _OF_APPROVAL.rows(session, approval_id=approval_id)]


def page(session: Session, wanted: Filter, *, cursor: str | None, limit: int) -> pages.Page[Decision]:
    """Decisions, newest first."""
    statement = _matching(wanted).order_by(col(Decision.seq).desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(col(Decision.seq) < pages.number(cursor))
    return pages.cut(session.exec(statement).all(), limit, lambda row: (row.seq,))


def batches(session: Session, wanted: Filter, *, after: int = 0) -> Iterator[Sequence[Decision]]:
    """All matching decisions behind number ``after``, oldest first, some hundred at a time."""
    while True:
        statement = _matching(wanted).where(col(Decision.seq) > after).order_by(col(Decision.seq)).limit(STREAM_BATCH)
        rows = session.exec(statement).all()
        if not rows:
            return
        yield rows
        after = rows[-1].seq
        session.expunge_all()


def chain(session: Session) -> Iterator[dict[str, Any]]:
    """Every entry in order, as the verifier reads it.

    SQLite keeps any value in any column. One that is not of its column's form
    is given as it is stored: its entry does not hold, and reading goes on.
    """
    after: Any = 0
    with _any_bytes(session):
        while True:
            statement = _AS_STORED.where(col(Decision.seq) > after).order_by(col(Decision.seq)).limit(STREAM_BATCH)
            rows = session.connection().execute(statement).mappings().all()
            if not rows:
                return
            for row in rows:
                yield {**row, "at": _moment(row["at"]), "is_final": _fact(row["is_final"])}
            after = rows[-1]["seq"]


_AS_STORED = sql_select(
    *(type_coerce(column, NullType()).label(column.name) for column in Decision.__table__.columns)  # type: ignore[attr-defined]
)


@contextmanager
def _any_bytes(session: Session) -> Iterator[None]:
    """SQLite's text may be any bytes while the block runs, not only UTF-8."""
    driver = session.connection().connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    driver.text_factory = lambda stored: stored.decode(errors="surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str


def _moment(stored: Any) -> Any:
    """A time from its text on SQLite, if it is written as we write it."""
    if not isinstance(stored, str):
        return stored
    try:
        moment = datetime.fromisoformat(stored)
    except ValueError:
        return stored
    return moment.replace(tzinfo=UTC) if moment.strftime(SQLITE_TIME) == stored else stored


def _fact(stored: Any) -> Any:
    return bool(stored) if stored in (0, 1) else stored


def _matching(wanted: Filter) -> Any:
    statement = select(Decision)
    equal = {
        "action": wanted.action,
        "verdict": wanted.verdict,
        "rule_id": wanted.rule,
        "job_id": wanted.job_id,
        "approval_id": wanted.approval_id,
        "app": wanted.app,
    }
    for column, value in equal.items():
        if value:
            statement = statement.where(getattr(Decision, column) == value)
    if wanted.since:
        statement = statement.where(col(Decision.at) >= wanted.since)
    if wanted.until:
        statement = statement.where(col(Decision.at) < wanted.until)
    if wanted.released_by:
        held = select(Approval.id).where(
            col(Approval.decision_id) == col(Decision.id),
            col(Approval.id) == col(Decision.approval_id),
            col(Approval.status) == ApprovalStatus.APPROVED,
            col(Approval.release_at) > wanted.released_by,
        )
        statement = statement.where(~held.exists())
    if wanted.reviewer:
        statement = statement.where(
            or_(col(Decision.actor_id) == wanted.reviewer, func.lower(Decision.actor_name) == wanted.reviewer.lower())
        )
    for word in (wanted.q or "").split():
        pattern = f"%{_escaped(word.lower())}%"
        columns = (Decision.action, Decision.note, Decision.actor_name, Decision.response, Decision.modified_details)
        *plain, edit = [func.lower(column).like(pattern, escape="\\") for column in columns]
        statement = statement.where(or_(*plain, edit & ~_HAS_SECRETS))
    return statement


# Whoever could look for a secret's first digits would soon have all of them.
_HAS_SECRETS = (
    select(Approval.id)
    .where(col(Approval.id) == col(Decision.approval_id), col(Approval.secrets).is_not(None))
    .exists()
)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
