"""An attempt's change of state, with its event and what the model is told."""

from datetime import datetime

from gateway.domain import secret_places
from gateway.domain.event import EventName
from gateway.domain.execution import ExecutionStatus
from gateway.domain.storable import storable
from gateway.errors import NotInDoubt
from gateway.store import events, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution, Job
from gateway.usecases import progress
from gateway.usecases.gateway import Gateway


def settle_attempt(
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
    """The attempt has this outcome and its call its tool message. Raises: NotInDoubt when somebody was first."""
    kept = {"result": storable(result) if result is not None else None, "error": storable(error) if error else None}
    if not executions.settle(session, execution, status, now=now, resolved_by=resolved_by, **kept):
        raise NotInDoubt
    name = EventName.EXECUTION_SUCCEEDED if status is ExecutionStatus.SUCCEEDED else EventName.EXECUTION_FAILED
    events.record(session, job, name, now, approval=approval, attempt=execution.attempt)
    progress.write_result(session, approval, told, now)


def doubt_attempt(
    session: Session, job: Job, approval: Approval, execution: Execution, reason: str, now: datetime
) -> None:
    if execution.status == ExecutionStatus.UNKNOWN:
        return
    executions.settle(session, execution, ExecutionStatus.UNKNOWN, now=now, error=storable(reason))
    events.record(session, job, EventName.EXECUTION_DOUBTED, now, approval=approval, attempt=execution.attempt)


def told_of(gateway: Gateway, approval: Approval, result: str) -> str:
    """What the model is told of a call that ran: the result, after a line on a reviewer's edit if there was one."""
    if approval.modified_details is None:
        return result
    # A value that a reviewer typed for a secret is none of the model's business.
    arguments = secret_places.masked(approval.modified_details, secret_places.read(approval.secrets))
    return gateway.wording.ran_with_edits.format(arguments=arguments, result=result)
