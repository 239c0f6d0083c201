"""Jobs in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, exists
from sqlalchemy import select as sql_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, or_, select

from gateway.domain.job import JobStatus, check_transition
from gateway.store import pages
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Approval, Job, ModelCircuit

# Every event raises ``seq``: a job that somebody else changed has another one.
_JOBS = Rows(Job, guard="seq")
_T = _JOBS.table
_INSERT = {
    "sqlite": sqlite.insert(_T).on_conflict_do_nothing().returning(_T.c.id),
    "postgresql": postgresql.insert(_T).on_conflict_do_nothing().returning(_T.c.id),
}
_SELECT = sql_select(*_JOBS.columns)
_FIND = Prepared(_SELECT.where(_T.c.id == bindparam("job_id")))
_LOCK = Prepared(_SELECT.where(_T.c.id == bindparam("job_id")).with_for_update())
_IS_MODEL_IN_TROUBLE = exists().where(col(ModelCircuit.failures) > 0)
_LOCK_FOR_TURN = Prepared(
    sql_select(*_JOBS.columns, _IS_MODEL_IN_TROUBLE).where(_T.c.id == bindparam("job_id")).with_for_update(of=_T)
)
_OF_APPROVAL = select(Approval.job_id).where(Approval.id == bindparam("approval_id")).scalar_subquery()
_LOCK_OF = Prepared(_SELECT.where(_T.c.id == _OF_APPROVAL).with_for_update())


def add(session: Session, new: Sequence[Job]) -> set[str]:
    """The ids of those jobs that were written: not of one whose owner has used its Idempotency-Key before.

    On PostgreSQL a second request with the same key waits here for the first one's commit.
    """
    if not new:
        return set()
    rows = [_JOBS.values_of(job) for job in new]
    return set(session.connection().execute(_INSERT[session.get_bind().dialect.name], rows).scalars())


def find(session: Session, job_id: str) -> Job | None:
    found = _FIND.row(session, job_id=job_id)
    return _JOBS.make(found) if found else None


def lock(session: Session, job_id: str) -> Job | None:
    """The job, which nobody else changes until this transaction ends. Taken before any lock on its approvals."""
    found = _LOCK.row(session, job_id=job_id)
    return _JOBS.hold(session, found) if found else None


def lock_for_turn(session: Session, job_id: str) -> tuple[Job | None, bool]:
    """The job, locked likewise, and whether calls of any model have failed lately."""
    found = _LOCK_FOR_TURN.row(session, job_id=job_id)
    return (_JOBS.hold(session, found[:-1]), bool(found[-1])) if found else (None, False)


def lock_of(session: Session, approval_id: str) -> Job | None:
    """The job of this approval, locked likewise; None for an approval without one."""
    found = _LOCK_OF.row(session, approval_id=approval_id)
    return _JOBS.hold(session, found) if found else None


def find_by_idempotency_key(session: Session, owner: str, key: str) -> Job | None:
    return session.exec(select(Job).where(Job.owner == owner, Job.idempotency_key == key)).one_or_none()


def quiet(session: Session, before: datetime, limit: int) -> Sequence[str]:
    """The ids of jobs that should be moving by themselves, but have not changed since ``before``."""
    return session.exec(
        select(Job.id)
        .where(col(Job.status).in_((JobStatus.QUEUED, JobStatus.RUNNING)), col(Job.updated_at) < before)
        .order_by(col(Job.updated_at))
        .limit(limit)
    ).all()


def with_call_due(session: Session, before: datetime, limit: int) -> Sequence[str]:
    """The ids of jobs that wait for people while a call that was approved before then has not begun."""
    return session.exec(
        select(Job.id).where(col(Job.run_due_at) < before).order_by(col(Job.run_due_at)).limit(limit)
    ).all()


def overdue(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """The ids of unfinished jobs whose deadline has passed."""
    return session.exec(
        select(Job.id)
        .where(col(Job.deadline_at) <= now, col(Job.finished_at).is_(None))
        .order_by(col(Job.deadline_at))
        .limit(limit)
    ).all()


def set_status(job: Job, status: JobStatus, now: datetime) -> bool:
    """True when the job's state changed. Raises: IllegalTransition."""
    job.updated_at = now
    old = JobStatus(job.status)
    if old is status:
        return False
    check_transition(old, status)
    job.status = status
    if status.is_final:
        job.finished_at = now
    return True


def page(
    session: Session,
    *,
    owner: str | None,
    statuses: Collection[str],
    cursor: str | None,
    limit: int,
) -> pages.Page[Job]:
    """Jobs, newest first; ``owner`` None sees all."""
    statement = select(Job).order_by(col(Job.created_at).desc(), col(Job.id).desc()).limit(limit + 1)
    if owner is not None:
        statement = statement.where(Job.owner == owner)
    if statuses:
        statement = statement.where(col(Job.status).in_(statuses))
    if cursor is not None:
        at, job_id = pages.time_and_id(cursor)
        # The first condition alone is what an index can begin at.
        statement = statement.where(col(Job.created_at) <= at, or_(col(Job.created_at) < at, col(Job.id) < job_id))
    return pages.cut(session.exec(statement).all(), limit, lambda job: (job.created_at, job.id))
