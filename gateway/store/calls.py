"""The calls of a turn: what the next step is decided from, and the order in which their rows are locked."""

from datetime import datetime

from sqlalchemy import Table, and_, bindparam, select

from gateway.domain.approval import ApprovalStatus, is_held
from gateway.domain.execution import ExecutionStatus
from gateway.domain.job import Call
from gateway.store import approvals, jobs
from gateway.store.prepared import Prepared
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution, Job, Message

_A: Table = Approval.__table__  # type: ignore[attr-defined]
_E: Table = Execution.__table__  # type: ignore[attr-defined]
_M: Table = Message.__table__  # type: ignore[attr-defined]

_OF_ROUND = Prepared(
    select(_A.c.status, _A.c.release_at, _E.c.status.label("execution"), _M.c.slot.label("result_slot"))
    .select_from(
        _A.outerjoin(_E, and_(_E.c.approval_id == _A.c.id, _E.c.attempt == _A.c.attempt)).outerjoin(
            _M, and_(_M.c.job_id == _A.c.job_id, _M.c.round == _A.c.round, _M.c.slot == _A.c.position)
        )
    )
    .where(_A.c.job_id == bindparam("job_id"), _A.c.round == bindparam("round"))
    .order_by(_A.c.position)
)


def of_round(session: Session, job_id: str, round: int, now: datetime) -> list[Call]:
    """The calls of this round as the rows say, with what this transaction has changed."""
    session.save_changes()
    return [
        Call(
            status=ApprovalStatus(status),
            execution=ExecutionStatus(execution) if execution else None,
            is_held=is_held(status, release_at, now),
            has_result=result_slot is not None,
        )
        for status, release_at, execution, result_slot in _OF_ROUND.rows(session, job_id=job_id, round=round)
    ]


def lock(session: Session, approval_id: str) -> tuple[Job | None, Approval | None]:
    """The job of a call and its approval, which nobody else changes until this transaction ends.

    Always in this order: whoever took the approval first could wait for
    somebody who holds the job and wants the approval.
    """
    job = jobs.lock_of(session, approval_id)
    return job, approvals.lock(session, approval_id)
