"""Executions: the claims that stand between a decision and its side effect."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import Session, col, select, update

from gateway.domain.execution import ExecutionStatus, check_transition
from gateway.store.tables import Execution


def find(session: Session, approval_id: str, attempt: int) -> Execution | None:
    return session.get(Execution, (approval_id, attempt), populate_existing=True)


def newest(session: Session, approval_ids: Collection[str]) -> dict[str, Execution]:
    """The last attempt of each of these approvals that has one."""
    rows = session.exec(
        select(Execution).where(col(Execution.approval_id).in_(approval_ids)).order_by(col(Execution.attempt))
    ).all()
    return {row.approval_id: row for row in rows}


def settle(
    session: Session,
    execution: Execution,
    status: ExecutionStatus,
    *,
    now: datetime,
    result: str | None = None,
    error: str | None = None,
    resolved_by: str | None = None,
) -> bool:
    """True when the execution went from the state it was read in to ``status``; False when somebody was first.

    Raises: IllegalTransition.
    """
    check_transition(ExecutionStatus(execution.status), status)
    written = session.exec(
        update(Execution)
        .where(
            col(Execution.approval_id) == execution.approval_id,
            col(Execution.attempt) == execution.attempt,
            col(Execution.status) == execution.status,
        )
        .values(status=status, result=result, error=error, resolved_by=resolved_by, finished_at=now)
    )
    return bool(written.rowcount == 1)


def take_over(session: Session, execution: Execution, executor_id: str) -> bool:
    """True when a started execution of a dead worker now belongs to ``executor_id``."""
    written = session.exec(
        update(Execution)
        .where(
            col(Execution.approval_id) == execution.approval_id,
            col(Execution.attempt) == execution.attempt,
            col(Execution.status) == ExecutionStatus.STARTED,
            col(Execution.executor_id) == execution.executor_id,
        )
        .values(executor_id=executor_id)
    )
    return bool(written.rowcount == 1)


def started(session: Session, before: datetime, limit: int) -> Sequence[Execution]:
    """Executions that were claimed before this time and have no outcome yet."""
    return session.exec(
        select(Execution)
        .where(Execution.status == ExecutionStatus.STARTED, col(Execution.started_at) < before)
        .order_by(col(Execution.started_at))
        .limit(limit)
    ).all()
