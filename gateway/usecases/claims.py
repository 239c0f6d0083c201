"""The claim that stands between a decision and its side effect."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.domain.approval import ApprovalStatus, Verdict, check_transition
from gateway.domain.arguments import sha256_hex
from gateway.domain.event import EventName
from gateway.domain.execution import ExecutionStatus
from gateway.domain.job import JobStatus
from gateway.store import calls, decisions, events, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution, Job
from gateway.tools.base import CallContext, Tool, clock_s
from gateway.usecases import deadlines, describing, ledger, progress
from gateway.usecases.attempts import doubt_attempt
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
        if deadlines.is_overdue(job, now):
            deadlines.end_at_deadline(gateway, session, job, now)
            return None
        if approval.release_at is not None and approval.release_at > now:
            # The queue's clock ran ahead of the database's: come back, as a piece of its own.
            delay_s = (approval.release_at - now).total_seconds()
            gateway.engine.enqueue_run(session, approval.id, attempt, progress.piece_of(now), delay_s=delay_s)
            return None
        if tool is None or tool.definition.sha256 != approval.tool_sha256:
            _reopen(gateway, session, job, approval, tool, now)
            return None
        if _is_past_window(approval, now):
            error = "Its time for running had passed; nothing was run."
            _refuse(gateway, session, job, approval, error, gateway.wording.run_window_passed, now)
            return None
        return _start(gateway, session, job, approval, tool, now)


def _start(
    gateway: Gateway, session: Session, job: Job, approval: Approval, tool: Tool, now: datetime
) -> ClaimedCall | None:
    effective = _decided_arguments(session, approval)
    if effective is None:
        error = "The stored arguments are not the decided ones; nothing was run."
        _refuse(gateway, session, job, approval, error, gateway.wording.tool_error.format(error=error), now)
        return None
    execution = Execution(
        approval_id=approval.id,
        attempt=approval.attempt,
        status=ExecutionStatus.STARTED,
        executor_id=gateway.engine.executor_id,
        details_sha256=sha256_hex(effective),
        started_at=now,
    )
    executions.add(session, execution)
    was_held = approval.decided_at is not None and progress.is_held(approval, approval.decided_at)
    if was_held:
        # Until its release no face said that it was decided.
        events.record(session, job, EventName.APPROVAL_DECIDED, now, approval=approval, status=approval.status)
    events.record(session, job, EventName.EXECUTION_STARTED, now, approval=approval, attempt=approval.attempt)
    if job.status == JobStatus.WAITING:
        # The hold of an approval on the pages has passed: perhaps nobody is awaited any more.
        progress.carry_on(gateway, session, job, now)
    return _claimed(gateway, tool, approval, effective)


def _decided_arguments(session: Session, approval: Approval) -> str | None:
    """The bytes about to run, if the log holds an approval of exactly them; None whatever else happened to the row."""
    effective = approval.details if approval.modified_details is None else approval.modified_details
    # Not the decision that the row names: one that was undone since is still in the log.
    decision = decisions.last_ruling(session, approval.id)
    if effective is None or decision is None or decision.verdict != Verdict.APPROVE:
        return None
    is_theirs = decision.id == approval.decision_id and decision.action == approval.action
    is_decided = sha256_hex(effective) == approval.effective_sha256 == decision.effective_sha256
    return effective if is_theirs and is_decided else None


def _claimed(gateway: Gateway, tool: Tool, approval: Approval, effective: str) -> ClaimedCall:
    context = CallContext(
        arguments_json=effective,
        approval_id=approval.id,
        job_id=approval.job_id,
        idempotency_key=approval.id,
        attempt=approval.attempt,
        # Before others may take this worker for dead: one that was frozen meanwhile must not send what a person has
        # settled by then. A call with a key may be sent again and again.
        start_by_s=None if tool.definition.idempotent else clock_s() + gateway.policy.lease_s / 2,
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
        # Perhaps this was the only piece for it, taken over from a worker that was silent and may yet be dead.
        piece, look_again_s = progress.piece_of(now), gateway.policy.lease_s
        gateway.engine.enqueue_run(session, approval.id, approval.attempt, piece, delay_s=look_again_s)
        return None
    effective = _decided_arguments(session, approval)
    is_same_tool = tool is not None and tool.definition.sha256 == approval.tool_sha256
    if tool is not None and is_same_tool and tool.definition.idempotent and effective is not None:
        if is_ours or executions.take_over(session, execution, gateway.engine.executor_id):
            return replace(_claimed(gateway, tool, approval, effective), is_repeat=True)
        return None
    doubt_attempt(session, job, approval, execution, "The worker stopped while this call was running.", now)
    progress.carry_on(gateway, session, job, now)
    return None


def _reopen(gateway: Gateway, session: Session, job: Job, approval: Approval, tool: Tool | None, now: datetime) -> None:
    check_transition(ApprovalStatus(approval.status), ApprovalStatus.PENDING)
    entry = ledger.entry(approval, Verdict.UNDO, ledger.SYSTEM, now, reason_code="tool_changed")
    approval.status = ApprovalStatus.PENDING
    approval.modified_details = approval.effective_sha256 = approval.decision_id = None
    approval.decided_at = approval.release_at = approval.reason_code = None
    approval.auto_decided = False
    describing.note_tool_change(approval, tool.definition if tool else None, gateway.policy.limits)
    events.record(session, job, EventName.APPROVAL_REOPENED, now, approval=approval, reason_code="tool_changed")
    progress.carry_on(gateway, session, job, now)
    decisions.append(session, [entry])


def _refuse(
    gateway: Gateway, session: Session, job: Job, approval: Approval, error: str, told: str, now: datetime
) -> None:
    execution = Execution(
        approval_id=approval.id,
        attempt=approval.attempt,
        status=ExecutionStatus.FAILED,
        executor_id=gateway.engine.executor_id,
        details_sha256=approval.effective_sha256 or "",
        error=error,
        started_at=now,
        finished_at=now,
    )
    executions.add(session, execution)
    approval.retryable = True
    events.record(session, job, EventName.EXECUTION_FAILED, now, approval=approval, attempt=approval.attempt)
    progress.write_result(session, approval, told, now)
    progress.carry_on(gateway, session, job, now)


def _is_past_window(approval: Approval, now: datetime) -> bool:
    if approval.run_within_s is None or approval.decided_at is None:
        return False
    return now > approval.decided_at + timedelta(seconds=approval.run_within_s)
