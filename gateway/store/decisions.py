"""The append-only table of decisions and its single-row head."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, func, or_, select

from gateway.domain.chain import entry_hash
from gateway.store import pages
from gateway.store.tables import Decision, DecisionHead

STREAM_BATCH = 500

_INSERT = insert(Decision.__table__)  # type: ignore[attr-defined]


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
    q: str | None = None  #: words in note, action, response or the edited arguments


def append(session: Session, entries: Sequence[Entry]) -> None:
    """These decisions stand at the end of the chain, in this order.

    Call it last: the head's row lock is held until the transaction ends, and
    every decision in the database waits for it.
    """
    if not entries:
        return
    # What the entries speak of is written before the one lock that all decisions share is taken.
    session.flush()
    head = session.exec(select(DecisionHead).with_for_update().execution_options(populate_existing=True)).one()
    rows = []
    for entry in entries:
        row: dict[str, Any] = {**asdict(entry), "seq": head.seq + 1, "prev_hash": head.hash}
        row["entry_hash"] = entry_hash(head.hash, row)
        head.seq, head.hash, head.at = row["seq"], row["entry_hash"], entry.at
        rows.append(row)
    session.connection().execute(_INSERT, rows)
    session.add(head)


def head(session: Session) -> DecisionHead:
    return session.exec(select(DecisionHead)).one()


def find(session: Session, decision_id: str) -> Decision | None:
    return session.exec(select(Decision).where(Decision.id == decision_id)).one_or_none()


def find_many(session: Session, decision_ids: Sequence[str]) -> dict[str, Decision]:
    rows = session.exec(select(Decision).where(col(Decision.id).in_(decision_ids))).all()
    return {row.id: row for row in rows}


def of_approval(session: Session, approval_id: str) -> Sequence[Decision]:
    return session.exec(select(Decision).where(Decision.approval_id == approval_id).order_by(col(Decision.seq))).all()


def page(session: Session, wanted: Filter, *, cursor: str | None, limit: int) -> pages.Page[Decision]:
    """Decisions, newest first."""
    statement = _matching(wanted).order_by(col(Decision.seq).desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(col(Decision.seq) < pages.number(cursor))
    return pages.cut(session.exec(statement).all(), limit, lambda row: (row.seq,))


def batches(session: Session, wanted: Filter) -> Iterator[Sequence[Decision]]:
    """All matching decisions, oldest first, some hundred at a time."""
    after = 0
    while True:
        statement = _matching(wanted).where(col(Decision.seq) > after).order_by(col(Decision.seq)).limit(STREAM_BATCH)
        rows = session.exec(statement).all()
        if not rows:
            return
        yield rows
        after = rows[-1].seq
        session.expunge_all()


def chain(session: Session) -> Iterator[dict[str, Any]]:
    """Every entry in order, as the verifier reads it."""
    for rows in batches(session, Filter()):
        for row in rows:
            yield row.model_dump()


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
    if wanted.reviewer:
        statement = statement.where(
            or_(col(Decision.actor_id) == wanted.reviewer, func.lower(Decision.actor_name) == wanted.reviewer.lower())
        )
    for word in (wanted.q or "").split():
        pattern = f"%{_escaped(word.lower())}%"
        columns = (Decision.action, Decision.note, Decision.actor_name, Decision.response, Decision.modified_details)
        statement = statement.where(or_(*(func.lower(column).like(pattern, escape="\\") for column in columns)))
    return statement


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
