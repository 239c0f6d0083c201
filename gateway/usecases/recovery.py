"""Looking after work that no queue will bring back by itself: an engine fault is a delay, not a lost job."""

from datetime import datetime, timedelta
from typing import assert_never

from gateway.domain.job import AwaitPeople, AwaitTools, CallModel, JobStatus
from gateway.store import approvals, calls, executions, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Job, Turn
from gateway.usecases import progress
from gateway.usecases.gateway import Gateway

BATCH = 500


def requeue_quiet(gateway: Gateway, quiet_for_s: float) -> int:
    """What has not moved for this long, but should, is queued again; how many pieces there were.

    Harmless where the work was only slow: a claim lets one worker at a time at a row.
    """
    with gateway.database.read() as session:
        before = gateway.database.now(session) - timedelta(seconds=quiet_for_s)
        quiet = [*jobs.quiet(session, before, BATCH), *jobs.with_call_due(session, before, BATCH)]
        stuck = executions.started(session, before, BATCH)
    pieces = sum(_requeue_job(gateway, job_id) for job_id in quiet)
    return pieces + sum(_requeue_call(gateway, row.approval_id, row.attempt) for row in stuck)


def _requeue_job(gateway: Gateway, job_id: str) -> int:
    with gateway.database.write() as session:
        job = jobs.lock(session, job_id)
        if job is None or JobStatus(job.status).is_final:
            return 0
        now = gateway.database.now(session)
        job.updated_at = now
        step = progress.find_next_step(session, job, now)
        match step:
            case CallModel(number):
                turn = turns.hold(session, job_id, number)
                if turn is not None and _waits_by_itself(turn, now):
                    return 0
                gateway.engine.enqueue_advance(session, job_id, progress.piece_of(now))
                return 1
            case AwaitTools():
                return _requeue_calls(gateway, session, job, now)
            case AwaitPeople():
                pieces = _requeue_calls(gateway, session, job, now)
                job.run_due_at = now if pieces else None
                return pieces
            case _:
                assert_never(step)


def _waits_by_itself(turn: Turn, now: datetime) -> bool:
    """True while its next attempt is queued for later, or its model is waited for."""
    return turn.parked_at is not None or (turn.retry_at is not None and turn.retry_at > now)


def _requeue_calls(gateway: Gateway, session: Session, job: Job, now: datetime) -> int:
    """Every approved call that nobody has begun is queued; how many there were."""
    to_run = [
        approval
        for approval, call in zip(
            approvals.lock_round(session, job.id, job.rounds),
            calls.of_round(session, job.id, job.rounds, now),
            strict=True,
        )
        if call.is_to_run
    ]
    for approval in to_run:
        gateway.engine.enqueue_run(session, approval.id, approval.attempt, progress.piece_of(now))
    return len(to_run)


def _requeue_call(gateway: Gateway, approval_id: str, attempt: int) -> int:
    with gateway.database.write() as session:
        execution = executions.find(session, approval_id, attempt)
        now = gateway.database.now(session)
        if execution is None or gateway.engine.is_executor_alive(session, execution.executor_id, now):
            return 0
        gateway.engine.enqueue_run(session, approval_id, attempt, progress.piece_of(now))
        return 1
