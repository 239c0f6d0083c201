"""What became of a claimed call: its outcome, its tool message, and the job that goes on."""

import json

from gateway.domain.event import EventName
from gateway.domain.execution import ExecutionStatus
from gateway.domain.storable import storable
from gateway.store import calls, events, executions
from gateway.store.tables import Approval, Execution
from gateway.tools.base import Failed, InDoubt, Outcome, Ran
from gateway.usecases import progress
from gateway.usecases.attempts import doubt_attempt, settle_attempt, told_of
from gateway.usecases.claims import ClaimedCall
from gateway.usecases.gateway import Gateway


def record_outcome(gateway: Gateway, call: ClaimedCall, outcome: Outcome) -> None:
    """The attempt has this outcome, its tool message is written and the job goes on.

    A finisher that comes after its attempt was called in doubt still settles
    it; one that comes after a person has settled it leaves an event, and a
    warning for everybody who looks at the call if it says otherwise.
    """
    approval_id, attempt = call.context.approval_id, call.context.attempt
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        execution = executions.find(session, approval_id, attempt)
        if job is None or approval is None or execution is None:
            return
        now = gateway.database.now(session)
        if ExecutionStatus(execution.status) not in {ExecutionStatus.STARTED, ExecutionStatus.UNKNOWN}:
            _warn_if_contradicting(approval, execution, outcome)
            events.record(session, job, EventName.EXECUTION_FINISHED_LATE, now, approval=approval, attempt=attempt)
            return
        match _with_doubt_kept(call, outcome):
            case Ran(result):
                text = told_of(gateway, approval, storable(result))
                settle_attempt(session, job, approval, execution, ExecutionStatus.SUCCEEDED, now, text, result=result)
            case Failed(error):
                text = gateway.wording.tool_error.format(error=storable(error))
                settle_attempt(session, job, approval, execution, ExecutionStatus.FAILED, now, text, error=error)
            case InDoubt(reason):
                doubt_attempt(session, job, approval, execution, reason, now)
        progress.carry_on(gateway, session, job, now)


def _warn_if_contradicting(approval: Approval, execution: Execution, outcome: Outcome) -> None:
    if execution.resolved_by is None:
        return
    match outcome, ExecutionStatus(execution.status):
        case Ran(), ExecutionStatus.FAILED if execution.attempt < approval.attempt:
            message = f"Attempt {execution.attempt} did run: the answer came after a person had asked for another."
        case Ran(), ExecutionStatus.FAILED:
            message = "It did run: the answer came after a person had recorded otherwise."
        case Failed(), ExecutionStatus.SUCCEEDED:
            message = "It failed: the answer came after a person had recorded otherwise."
        case _:
            return
    warning = {"code": "finished_late", "path": "", "message": message}
    warnings = json.loads(approval.warnings)
    if warning not in warnings:
        approval.warnings = json.dumps([warning, *warnings], ensure_ascii=False)


def _with_doubt_kept(call: ClaimedCall, outcome: Outcome) -> Outcome:
    """A repeat that failed does not prove that the first try did nothing."""
    if call.is_repeat and isinstance(outcome, Failed):
        return InDoubt(f"The worker stopped while this call was running; the repeat gave: {outcome.error}")
    return outcome
