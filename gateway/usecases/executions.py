"""Running approved calls: the claim before the side effect, the record after it, and settling doubt."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.domain.approval import ApprovalStatus, Verdict, check_transition
from gateway.domain.arguments import sha256_hex
from gateway.domain.event import EventName
from gateway.domain.execution import ExecutionStatus, Resolution
from gateway.domain.job import JobStatus
from gateway.domain.permission import PersonActor
from gateway.errors import JobFinished, NotFound, NotInDoubt
from gateway.store import calls, decisions, events, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution, Job
from gateway.tools.base import CallContext, Failed, InDoubt, Outcome, Ran, Tool
from gateway.usecases import accounts, intake, ledger, progress
from gateway.usecases.gateway import Gateway


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """The right to run one attempt of one approved call, with exactly these bytes."""

    tool: Tool
    context: CallContext
    is_repeat: bool = False  #: a worker that died may have run it already


def claim_call(gateway: Gateway, approval_id: str, attempt: int) -> ClaimedCall | None:
    """The attempt is written down as started, before anything happens outside.

    None when there is nothing to run: not approved (any more), not released
    yet (then it is queued again), already run, in doubt, or being run by a
    live worker. An attempt that a dead worker left behind is repeated with the
    same key if the tool is idempotent, else it is now in doubt.
    """
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        if approval is None or job is None or approval.attempt != attempt:
            return None
        now = gateway.database.now(session)
        execution = executions.find(session, approval_id, attempt)
        tool = gateway.tools.get(approval.action)
        if execution is not None:
            return _left_behind(gateway, session, job, approval, execution, tool, now)
        if approval.status != ApprovalStatus.APPROVED:
            return None
        if approval.release_at is not None and approval.release_at > now:
            # The queue's clock ran ahead of the database's: come back. A number of its own, or it is this same piece.
            delay_s, piece = (approval.release_at - now).total_seconds(), round(now.timestamp() * 1e6)
            gateway.engine.enqueue_run(session, approval.id, attempt, piece, delay_s=delay_s)
            return None
        if tool is None or tool.definition.sha256 != approval.tool_sha256:
            _reopen(gateway, session, job, approval, tool, now)
            return None
        if _is_past_window(approval, now):
            error = "Its time for running had passed; nothing was run."
            _refuse(gateway, session, job, approval, error, gateway.wording.run_window_passed, now)
            return None
        return _start(gateway, session, job, approval, tool, now)


def record_outcome(gateway: Gateway, call: ClaimedCall, outcome: Outcome) -> None:
    """The attempt has this outcome, its tool message is written and the job goes on.

    A finisher that comes after its attempt was called in doubt still settles
    it; one that comes after a person has settled it leaves an event only.
    """
    approval_id, attempt = call.context.approval_id, call.context.attempt
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        execution = executions.find(session, approval_id, attempt)
        if job is None or approval is None or execution is None:
            return
        now = gateway.database.now(session)
        if ExecutionStatus(execution.status) not in {ExecutionStatus.STARTED, ExecutionStatus.UNKNOWN}:
            events.record(session, job, EventName.EXECUTION_FINISHED_LATE, now, approval=approval, attempt=attempt)
            return
        match _with_doubt_kept(call, outcome):
            case Ran(result):
                text = _told(gateway, approval, _storable(result))
                _settle(session, job, approval, execution, ExecutionStatus.SUCCEEDED, now, text, result=result)
            case Failed(error):
                text = gateway.wording.tool_error.format(error=_storable(error))
                _settle(session, job, approval, execution, ExecutionStatus.FAILED, now, text, error=error)
            case InDoubt(reason):
                _doubt(session, job, approval, execution, reason, now)
        progress.carry_on(gateway, session, job, now)


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


def _with_doubt_kept(call: ClaimedCall, outcome: Outcome) -> Outcome:
    """A repeat that failed does not prove that the first try did nothing."""
    if call.is_repeat and isinstance(outcome, Failed):
        return InDoubt(f"The worker stopped while this call was running; the repeat gave: {outcome.error}")
    return outcome


def _start(
    gateway: Gateway, session: Session, job: Job, approval: Approval, tool: Tool, now: datetime
) -> ClaimedCall | None:
    effective = _decided_arguments(session, approval)
    if effective is None:
        error = "The stored arguments are not the decided ones; nothing was run."
        _refuse(gateway, session, job, approval, error, gateway.wording.tool_error.format(error=error), now)
        return None
    session.add(
        Execution(
            approval_id=approval.id,
            attempt=approval.attempt,
            status=ExecutionStatus.STARTED,
            executor_id=gateway.engine.executor_id,
            details_sha256=sha256_hex(effective),
            started_at=now,
        )
    )
    events.record(session, job, EventName.EXECUTION_STARTED, now, approval=approval, attempt=approval.attempt)
    if job.status == JobStatus.WAITING:
        # The hold of an approval on the pages has passed: perhaps nobody is awaited any more.
        progress.carry_on(gateway, session, job, now)
    return _claimed(tool, approval, effective)


def _decided_arguments(session: Session, approval: Approval) -> str | None:
    """The bytes about to run, if the log holds an approval of exactly them; None whatever else happened to the row."""
    effective = approval.details if approval.modified_details is None else approval.modified_details
    decision = decisions.find(session, approval.decision_id) if approval.decision_id else None
    if effective is None or decision is None:
        return None
    is_theirs = decision.approval_id == approval.id and decision.verdict == Verdict.APPROVE
    is_decided = sha256_hex(effective) == approval.effective_sha256 == decision.effective_sha256
    return effective if is_theirs and is_decided else None


def _claimed(tool: Tool, approval: Approval, effective: str) -> ClaimedCall:
    context = CallContext(
        arguments_json=effective,
        approval_id=approval.id,
        job_id=approval.job_id,
        idempotency_key=approval.id,
        attempt=approval.attempt,
    )
    return ClaimedCall(tool, context)


def _left_behind(
    gateway: Gateway,
    session: Session,
    job: Job,
    approval: Approval,
    execution: Execution,
    tool: Tool | None,
    now: datetime,
) -> ClaimedCall | None:
    if execution.status != ExecutionStatus.STARTED:
        return None
    is_ours = execution.executor_id == gateway.engine.executor_id
    if not is_ours and gateway.engine.is_executor_alive(session, execution.executor_id, now):
        return None
    effective = _decided_arguments(session, approval)
    is_same_tool = tool is not None and tool.definition.sha256 == approval.tool_sha256
    if tool is not None and is_same_tool and tool.definition.idempotent and effective is not None:
        if is_ours or executions.take_over(session, execution, gateway.engine.executor_id):
            return replace(_claimed(tool, approval, effective), is_repeat=True)
        return None
    _doubt(session, job, approval, execution, "The worker stopped while this call was running.", now)
    progress.carry_on(gateway, session, job, now)
    return None


def _reopen(gateway: Gateway, session: Session, job: Job, approval: Approval, tool: Tool | None, now: datetime) -> None:
    check_transition(ApprovalStatus(approval.status), ApprovalStatus.PENDING)
    entry = ledger.entry(approval, Verdict.UNDO, ledger.SYSTEM, now, reason_code="tool_changed")
    approval.status = ApprovalStatus.PENDING
    approval.modified_details = approval.effective_sha256 = approval.decision_id = None
    approval.decided_at = approval.release_at = approval.reason_code = None
    approval.auto_decided = False
    intake.note_tool_change(approval, tool.definition if tool else None, gateway.policy.limits)
    events.record(session, job, EventName.APPROVAL_REOPENED, now, approval=approval, reason_code="tool_changed")
    progress.carry_on(gateway, session, job, now)
    decisions.append(session, [entry])


def _refuse(
    gateway: Gateway, session: Session, job: Job, approval: Approval, error: str, told: str, now: datetime
) -> None:
    session.add(
        Execution(
            approval_id=approval.id,
            attempt=approval.attempt,
            status=ExecutionStatus.FAILED,
            executor_id=gateway.engine.executor_id,
            details_sha256=approval.effective_sha256 or "",
            error=error,
            started_at=now,
            finished_at=now,
        )
    )
    approval.retryable = True
    events.record(session, job, EventName.EXECUTION_FAILED, now, approval=approval, attempt=approval.attempt)
    progress.write_result(session, approval, told, now)
    progress.carry_on(gateway, session, job, now)


def _settle(
    session: Session,
    job: Job,
    approval: Approval,
    execution: Execution,
    status: ExecutionStatus,
    now: datetime,
    told: str,
    *,
    result: str | None = None,
    error: str | None = None,
    resolved_by: str | None = None,
) -> None:
    kept = {"result": _storable(result) if result is not None else None, "error": _storable(error) if error else None}
    if not executions.settle(session, execution, status, now=now, resolved_by=resolved_by, **kept):
        raise NotInDoubt
    name = EventName.EXECUTION_SUCCEEDED if status is ExecutionStatus.SUCCEEDED else EventName.EXECUTION_FAILED
    events.record(session, job, name, now, approval=approval, attempt=execution.attempt)
    progress.write_result(session, approval, told, now)


def _doubt(session: Session, job: Job, approval: Approval, execution: Execution, reason: str, now: datetime) -> None:
    if execution.status == ExecutionStatus.UNKNOWN:
        return
    executions.settle(session, execution, ExecutionStatus.UNKNOWN, now=now, error=_storable(reason))
    events.record(session, job, EventName.EXECUTION_DOUBTED, now, approval=approval, attempt=execution.attempt)


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
            told = _told(gateway, approval, gateway.wording.ran_without_result if result is None else result)
            _settle(
                session, job, approval, execution, ExecutionStatus.SUCCEEDED, now, told,
                result=result, resolved_by=decider.id,
            )  # fmt: skip
        case Resolution.DID_NOT_RUN:
            told = gateway.wording.say_did_not_run(note)
            _settle(
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


def _told(gateway: Gateway, approval: Approval, result: str) -> str:
    if approval.modified_details is None:
        return result
    return gateway.wording.ran_with_edits.format(arguments=approval.modified_details, result=result)


def _is_past_window(approval: Approval, now: datetime) -> bool:
    if approval.run_within_s is None or approval.decided_at is None:
        return False
    return now > approval.decided_at + timedelta(seconds=approval.run_within_s)


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
