"""Settling a call whose outcome is in doubt, by a person's word."""

from datetime import datetime

from gateway.domain.approval import Verdict
from gateway.domain.event import EventName
from gateway.domain.execution import ExecutionStatus, Resolution
from gateway.domain.job import JobStatus
from gateway.domain.permission import PersonActor
from gateway.errors import JobFinished, NotFound, NotInDoubt
from gateway.store import calls, decisions, events, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution, Job
from gateway.usecases import accounts, ledger, progress
from gateway.usecases.attempts import settle_attempt, told_of
from gateway.usecases.gateway import Gateway


def resolve(
    gateway: Gateway,
    person: PersonActor,
    approval_id: str,
    resolution: Resolution,
    *,
    result: str | None = None,
    note: str | None = None,
    channel: str = "api",
) -> Approval:
    """A person's word settles a call that was in doubt, or opens its next attempt with the same key.

    Raises: NotFound; NotAllowed; NotInDoubt when nothing is in doubt here (any more);
    JobFinished when it should run again for a job that has ended.
    """
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        decider = accounts.check_may_decide(session, person)
        if job is None or approval is None:
            raise NotFound
        now = gateway.database.now(session)
        execution = executions.find(session, approval_id, approval.attempt)
        if execution is None or execution.status != ExecutionStatus.UNKNOWN:
            raise NotInDoubt
        _apply_resolution(gateway, session, job, approval, execution, resolution, decider, result, note, now)
        events.record(
            session, job, EventName.EXECUTION_RESOLVED, now, approval=approval, outcome=resolution, by=decider.name
        )
        progress.carry_on(gateway, session, job, now)
        entry = ledger.entry(
            approval, Verdict.RESOLVE, ledger.by_person(decider, channel), now,
            note=note, reason_code=resolution, response=result,
        )  # fmt: skip
        decisions.append(session, [entry])
        return approval


def _apply_resolution(
    gateway: Gateway,
    session: Session,
    job: Job,
    approval: Approval,
    execution: Execution,
    resolution: Resolution,
    decider: PersonActor,
    result: str | None,
    note: str | None,
    now: datetime,
) -> None:
    match resolution:
        case Resolution.RAN:
            told = told_of(gateway, approval, gateway.wording.ran_without_result if result is None else result)
            settle_attempt(
                session, job, approval, execution, ExecutionStatus.SUCCEEDED, now, told,
                result=result, resolved_by=decider.id,
            )  # fmt: skip
        case Resolution.DID_NOT_RUN:
            told = gateway.wording.say_did_not_run(note)
            settle_attempt(
                session, job, approval, execution, ExecutionStatus.FAILED, now, told,
                error="A person recorded that the call did not run.", resolved_by=decider.id,
            )  # fmt: skip
        case Resolution.RUN_AGAIN:
            if JobStatus(job.status).is_final:
                raise JobFinished("The job has ended: its calls cannot be run again.", job_status=job.status)
            error = "In doubt; a person asked for another attempt."
            executions.settle(session, execution, ExecutionStatus.FAILED, now=now, error=error, resolved_by=decider.id)
            approval.attempt += 1
            gateway.engine.enqueue_run(session, approval.id, approval.attempt, job.seq)
