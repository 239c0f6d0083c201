"""Executions: the claims that stand between a decision and its side effect."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy import select as sql_select
from sqlalchemy import update as sql_update
from sqlmodel import col, select, update

from gateway.domain.execution import ExecutionStatus, check_transition
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Execution

_ROWS = Rows(Execution)
_T = _ROWS.table
_SELECT = sql_select(*_ROWS.columns)
_FIND = Prepared(_SELECT.where(_T.c.approval_id == bindparam("approval_id"), _T.c.attempt == bindparam("attempt")))
_NEWEST = Prepared(_SELECT.where(_T.c.approval_id == bindparam("approval_id")).order_by(_T.c.attempt.desc()).limit(1))
_SETTLE = Prepared(
    sql_update(_T).where(
        _T.c.approval_id == bindparam("of_approval"),
        _T.c.attempt == bindparam("of_attempt"),
        _T.c.status == bindparam("was_status"),
    ),
    ("status", "result", "error", "resolved_by", "finished_at"),
)


def add(session: Session, execution: Execution) -> None:
    """The attempt is in the database; a second row for the same one is refused by its key."""
    _ROWS.add(session, execution)


def find(session: Session, approval_id: str, attempt: int) -> Execution | None:
    found = _FIND.row(session, approval_id=approval_id, attempt=attempt)
    return _ROWS.make(found) if found else None


def newest(session: Session, approval_ids: Collection[str]) -> dict[str, Execution]:
    """The last attempt of each of these approvals that has one."""
    if len(approval_ids) == 1:
        [approval_id] = approval_ids
        found = _NEWEST.row(session, approval_id=approval_id)
        return {approval_id: _ROWS.make(found)} if found else {}
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
    written = _SETTLE.change(
        session,
        of_approval=execution.approval_id, of_attempt=execution.attempt, was_status=execution.status,
        status=status, result=result, error=error, resolved_by=resolved_by, finished_at=now,
    )  # fmt: skip
    return written == 1


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
