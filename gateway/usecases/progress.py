"""Carrying a job on inside the transaction that changed one of its calls.

Whoever writes the last result of a turn, under the job's row lock, queues the
next model call in the same transaction; so it is queued once and never lost.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_never

from gateway.domain.approval import is_held as approval_is_held
from gateway.domain.event import EventName
from gateway.domain.job import AwaitPeople, AwaitTools, Call, CallModel, JobStatus, NextStep, next_step
from gateway.domain.turn import sendable_name
from gateway.store import calls, events, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases import callbacks
from gateway.usecases.gateway import Gateway


def carry_on(gateway: Gateway, session: Session, job: Job, now: datetime) -> NextStep | None:
    """The job's state says what it waits for, and its next model call is queued if nothing is missing.

    None for a job that has ended. The job's row must be locked.
    """
    if JobStatus(job.status).is_final:
        return None
    newest = _newest_calls(session, job, now)
    step = next_step(job.rounds, newest)
    # People may be awaited for days: till then nothing else would tell that the queue has lost an approved call.
    is_due = isinstance(step, AwaitPeople) and any(call.is_to_run for call in newest)
    job.run_due_at = now if is_due else None
    match step:
        case CallModel():
            _show(session, job, JobStatus.RUNNING, now)
            gateway.engine.enqueue_advance(session, job.id, job.seq)
        case AwaitTools():
            _show(session, job, JobStatus.RUNNING, now)
        case AwaitPeople():
            _show(session, job, JobStatus.WAITING, now)
        case _:
            assert_never(step)
    return step


def find_next_step(session: Session, job: Job, now: datetime) -> NextStep:
    """What the job's rows say comes next."""
    return next_step(job.rounds, _newest_calls(session, job, now))


def piece_of(now: datetime) -> int:
    """A number that no event of a job has, so that a queue takes it for new work."""
    return round(now.timestamp() * 1_000_000)


def is_held(approval: Approval, now: datetime) -> bool:
    """True between an approval and its release."""
    return approval_is_held(approval.status, approval.release_at, now)


def write_result(session: Session, approval: Approval, text: str, now: datetime) -> None:
    """The call has its one tool message; a second one is not written."""
    if approval.job_id is None or approval.round is None or approval.position is None:
        return
    name = sendable_name(approval.action)
    body = {"role": "tool", "tool_call_id": approval.tool_call_id, "name": name, "content": text}
    turns.add_message(
        session,
        job_id=approval.job_id,
        round=approval.round,
        slot=approval.position,
        role="tool",
        body=json.dumps(body, ensure_ascii=False),
        now=now,
    )


def end(
    session: Session,
    job: Job,
    status: JobStatus,
    now: datetime,
    *,
    output: str | None = None,
    error_code: str | None = None,
    error_message: str | None = None,
) -> None:
    """The job has ended this way; nothing of it is queued any more but the message that tells its app so.

    The states of its calls must be written by then.
    """
    jobs.set_status(job, status, now)
    job.run_due_at = None
    job.output, job.error_code, job.error_message = output, error_code, error_message
    facts: dict[str, Any] = {"error": {"code": error_code, "message": error_message}} if error_code else {}
    events.record(session, job, _END_EVENTS[status], now, **facts)
    callbacks.tell_end(session, job, _END_EVENTS[status], now)


_END_EVENTS = {
    JobStatus.SUCCEEDED: EventName.JOB_SUCCEEDED,
    JobStatus.FAILED: EventName.JOB_FAILED,
    JobStatus.CANCELLED: EventName.JOB_CANCELLED,
}


def _newest_calls(session: Session, job: Job, now: datetime) -> Sequence[Call]:
    return calls.of_round(session, job.id, job.rounds, now) if job.rounds else ()


def _show(session: Session, job: Job, status: JobStatus, now: datetime) -> None:
    was_queued = job.status == JobStatus.QUEUED
    if was_queued and status is JobStatus.WAITING:
        jobs.set_status(job, JobStatus.RUNNING, now)
    if not jobs.set_status(job, status, now):
        return
    if status is JobStatus.WAITING:
        events.record(session, job, EventName.JOB_PARKED, now)
    else:
        events.record(session, job, EventName.JOB_STARTED if was_queued else EventName.JOB_RESUMED, now)
