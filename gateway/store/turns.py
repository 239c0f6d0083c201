"""Turns (model calls) and the messages they leave in the transcript."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Table, bindparam, insert
from sqlalchemy import select as sql_select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Approval, Message, Turn

_TURNS, _MESSAGES = Rows(Turn), Rows(Message)
_T, _M = _TURNS.table, _MESSAGES.table
_HOLD = Prepared(
    sql_select(*_TURNS.columns)
    .where(_T.c.job_id == bindparam("job_id"), _T.c.number == bindparam("number"))
    .with_for_update()
)
_TRANSCRIPT = Prepared(
    sql_select(*_MESSAGES.columns).where(_M.c.job_id == bindparam("job_id")).order_by(_M.c.round, _M.c.slot)
)
_INSERT = Prepared(insert(_M), [column.name for column in _M.c])
_INSERT_ONCE = Prepared(
    {
        "sqlite": sqlite.insert(_M).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(_M).on_conflict_do_nothing(),
    },
    [column.name for column in _M.c],
)
_SUBMITTED_RESULTS = Prepared(
    sql_select(_M.c.body).where(_M.c.job_id == bindparam("job_id"), _M.c.round == 0, _M.c.role == "tool")
)
_A: Table = Approval.__table__  # type: ignore[attr-defined]
_CALL_IDS = Prepared(sql_select(_A.c.tool_call_id).where(_A.c.job_id == bindparam("job_id")))


def hold(session: Session, job_id: str, number: int) -> Turn | None:
    """The turn, whose changes are written before the commit. Lock its job first."""
    found = _HOLD.row(session, job_id=job_id, number=number)
    return _TURNS.hold(session, found) if found else None


def begin(session: Session, job_id: str, number: int) -> Turn:
    """The turn that the job has from now on, held like one that was there."""
    turn = Turn(job_id=job_id, number=number)
    _TURNS.add(session, turn)
    return _TURNS.hold(session, tuple(_TURNS.values_of(turn).values()))


def messages(session: Session, job_id: str) -> Sequence[Message]:
    """The whole transcript in order."""
    return [_MESSAGES.make(values) for values in _TRANSCRIPT.rows(session, job_id=job_id)]


def add_submitted(session: Session, submitted: Mapping[str, Sequence[tuple[str, str]]], now: datetime) -> None:
    """What each of these jobs was submitted with, as (role, JSON text), is in its transcript."""
    rows = [
        {"job_id": job_id, "round": 0, "slot": slot, "role": role, "body": body, "created_at": now}
        for job_id, messages in submitted.items()
        for slot, (role, body) in enumerate(messages)
    ]
    _INSERT.send_each(session, rows)


def add_message(session: Session, *, job_id: str, round: int, slot: int, role: str, body: str, now: datetime) -> None:
    """The message has its place in the transcript; one that is there already stays."""
    _INSERT_ONCE.send(session, job_id=job_id, round=round, slot=slot, role=role, body=body, created_at=now)


def used_tool_call_ids(session: Session, job_id: str) -> set[str]:
    """The ids that the submitted messages and the earlier rounds of this job have taken."""
    taken = {call_id for (call_id,) in _CALL_IDS.rows(session, job_id=job_id)}
    taken |= {json.loads(body).get("tool_call_id") for (body,) in _SUBMITTED_RESULTS.rows(session, job_id=job_id)}
    return {call_id for call_id in taken if call_id is not None}
