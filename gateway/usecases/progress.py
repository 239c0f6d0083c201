"""Carrying a job on inside the transaction that changed one of its calls.

Whoever writes the last result of a turn, under the job's row lock, queues the
next model call in the same transaction; so it is queued once and never lost.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_never

from gateway.domain.approval import ApprovalStatus
from gateway.domain.event import EventName
from gateway.domain.execution import ExecutionStatus
from gateway.domain.job import AwaitPeople, AwaitTools, Call, CallModel, JobStatus, NextStep, next_step
from gateway.domain.turn import sendable_name
from gateway.store import approvals as approval_rows
from gateway.store import events, executions, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases.gateway import Gateway


def carry_on(gateway: Gateway, session: Session, job: Job, now: datetime) -> NextStep | None:
    """The job's state says what it waits for, and its next model call is queued if nothing is missing.

    None for a job that has ended. The job's row must be locked.
    """
    if JobStatus(job.status).is_final:
        return None
    step = find_next_step(session, job, now)
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
    if job.rounds == 0:
        return next_step(0, ())
    session.flush()
    rows = approval_rows.of_round(session, job.id, job.rounds)
    return next_step(job.rounds, _calls(session, job, rows, now))


def is_held(approval: Approval, now: datetime) -> bool:
    """True between an approval and its release: it can be undone, and every face still says pending."""
    return approval.status == ApprovalStatus.APPROVED and approval.release_at is not None and approval.release_at > now


def write_result(session: Session, approval: Approval, text: str, now: datetime) -> None:
    """The call has its one tool message; a second one is not written."""
    if approval.job_id is None or approval.round is None or approval.position is None:
        return
    if turns.has_result(session, approval.job_id, approval.round, approval.position):
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
    """The job has ended this way; nothing of it is queued any more."""
    jobs.set_status(job, status, now)
    job.output, job.error_code, job.error_message = output, error_code, error_message
    facts: dict[str, Any] = {"error": {"code": error_code, "message": error_message}} if error_code else {}
    events.record(session, job, _END_EVENTS[status], now, **facts)


_END_EVENTS = {
    JobStatus.SUCCEEDED: EventName.JOB_SUCCEEDED,
    JobStatus.FAILED: EventName.JOB_FAILED,
    JobStatus.CANCELLED: EventName.JOB_CANCELLED,
}


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


def _calls(session: Session, job: Job, rows: Sequence[Approval], now: datetime) -> list[Call]:
    finished = turns.result_slots(session, job.id, job.rounds)
    attempts = executions.newest(session, [row.id for row in rows if row.status == ApprovalStatus.APPROVED])
    return [
        Call(
            status=ApprovalStatus(row.status),
            execution=ExecutionStatus(attempts[row.id].status) if row.id in attempts else None,
            is_held=is_held(row, now),
            has_result=row.position in finished,
        )
        for row in rows
    ]
