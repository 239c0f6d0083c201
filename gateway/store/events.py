"""Events: one row per change of state, written with the change itself."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select

from gateway.domain.event import EventName
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session, announce
from gateway.store.tables import Approval, Event, Job

INBOX_TOPIC = "inbox"

_ROWS = Rows(Event)
_E = _ROWS.table
_OF_JOB = Prepared(
    select(*_ROWS.columns)
    .where(_E.c.job_id == bindparam("job_id"), _E.c.seq > bindparam("after_seq"))
    .order_by(_E.c.seq)
    .limit(bindparam("at_most"))
)
_OF_CALL = Prepared(
    select(*_ROWS.columns)
    .where(
        _E.c.job_id == bindparam("job_id"), _E.c.approval_id == bindparam("approval_id"), _E.c.name == bindparam("name")
    )
    .order_by(_E.c.seq)
)
_OF_CALL_WITHOUT_JOB = Prepared(
    select(*_ROWS.columns)
    .where(_E.c.job_id.is_(None), _E.c.approval_id == bindparam("approval_id"), _E.c.name == bindparam("name"))
    .order_by(_E.c.id)
)
_INSERT = Prepared(insert(_E), ("job_id", "seq", "name", "approval_id", "data", "at"))


def job_topic(job_id: str) -> str:
    return f"job:{job_id}"


def approval_topic(approval_id: str) -> str:
    return f"approval:{approval_id}"


def record(
    session: Session,
    job: Job | None,
    name: EventName,
    now: datetime,
    *,
    approval: Approval | None = None,
    **data: Any,
) -> None:
    """The change is in the job's feed under the next number, and its waiters are woken after the commit.

    The job's row must be locked: that is what makes the numbers of a feed have no gap and no twin. What belongs to
    no job is in no feed.
    """
    if job is not None:
        job.seq += 1
        job.updated_at = now
    _INSERT.send(
        session,
        job_id=job.id if job else None,
        seq=job.seq if job else None,
        name=name,
        approval_id=approval.id if approval else None,
        data=json.dumps(data, ensure_ascii=False),
        at=now,
    )
    if job is not None:
        announce(session, job_topic(job.id))
    if approval is not None:
        announce(session, approval_topic(approval.id), INBOX_TOPIC)


def whisper(session: Session, approval: Approval) -> None:
    """Whoever looks at this approval looks again after the commit; its job's feed does not tell of it."""
    announce(session, approval_topic(approval.id), INBOX_TOPIC)


def add_first(session: Session, job_ids: Iterable[str], name: EventName, now: datetime) -> None:
    """The first event of each job that is being written; nobody waits for it yet."""
    rows = [
        {"job_id": job_id, "seq": 1, "name": name, "approval_id": None, "data": "{}", "at": now} for job_id in job_ids
    ]
    _INSERT.send_each(session, rows)


def of_job(session: Session, job_id: str, after_seq: int, limit: int = 500) -> Sequence[Event]:
    return [_ROWS.make(row) for row in _OF_JOB.rows(session, job_id=job_id, after_seq=after_seq, at_most=limit)]


def of_call(session: Session, approval: Approval, name: EventName) -> Sequence[Event]:
    """What of this name happened to the call, in order."""
    if approval.job_id is None:
        rows = _OF_CALL_WITHOUT_JOB.rows(session, approval_id=approval.id, name=name.value)
    else:
        rows = _OF_CALL.rows(session, job_id=approval.job_id, approval_id=approval.id, name=name.value)
    return [_ROWS.make(row) for row in rows]
