"""Turns (model calls) and the messages they leave in the transcript."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from gateway.store.tables import Approval, Message, Turn

_MESSAGES: Table = Message.__table__  # type: ignore[attr-defined]
_INSERT = insert(_MESSAGES)
_INSERT_ONCE = {
    "sqlite": sqlite.insert(_MESSAGES).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_MESSAGES).on_conflict_do_nothing(),
}


def find(session: Session, job_id: str, number: int) -> Turn | None:
    return session.get(Turn, (job_id, number), populate_existing=True)


def messages(session: Session, job_id: str) -> Sequence[Message]:
    """The whole transcript in order."""
    return session.exec(
        select(Message).where(Message.job_id == job_id).order_by(col(Message.round), col(Message.slot))
    ).all()


def add_submitted(session: Session, submitted: Mapping[str, Sequence[tuple[str, str]]], now: datetime) -> None:
    """What each of these jobs was submitted with, as (role, JSON text), is in its transcript."""
    rows = [
        {"job_id": job_id, "round": 0, "slot": slot, "role": role, "body": body, "created_at": now}
        for job_id, messages in submitted.items()
        for slot, (role, body) in enumerate(messages)
    ]
    session.connection().execute(_INSERT, rows)


def add_message(session: Session, *, job_id: str, round: int, slot: int, role: str, body: str, now: datetime) -> None:
    """The message has its place in the transcript; one that is there already stays."""
    row = {"job_id": job_id, "round": round, "slot": slot, "role": role, "body": body, "created_at": now}
    session.connection().execute(_INSERT_ONCE[session.get_bind().dialect.name], row)


def result_slots(session: Session, job_id: str, round: int) -> set[int]:
    """Which calls of this round have their tool message."""
    return set(
        session.exec(
            select(Message.slot).where(Message.job_id == job_id, Message.round == round, Message.slot > 0)
        ).all()
    )


def used_tool_call_ids(session: Session, job_id: str) -> set[str]:
    """The ids that the submitted messages and the earlier rounds of this job have taken."""
    taken = set(session.exec(select(Approval.tool_call_id).where(Approval.job_id == job_id)).all())
    submitted = select(Message.body).where(Message.job_id == job_id, Message.round == 0, Message.role == "tool")
    taken |= {json.loads(body).get("tool_call_id") for body in session.exec(submitted).all()}
    return {call_id for call_id in taken if call_id is not None}
