"""Jobs in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Table, bindparam, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, or_, select

from gateway.domain.job import JobStatus, check_transition
from gateway.store import pages
from gateway.store.tables import Approval, Job

#: Built once: putting an INSERT together costs more than running it.
_JOBS: Table = Job.__table__  # type: ignore[attr-defined]
_INSERT = {
    "sqlite": sqlite.insert(_JOBS).on_conflict_do_nothing().returning(_JOBS.c.id),
    "postgresql": postgresql.insert(_JOBS).on_conflict_do_nothing().returning(_JOBS.c.id),
}
_COLUMNS = tuple((attribute.key, attribute.columns[0].name) for attribute in inspect(Job).column_attrs)


_LOCKING = select(Job).with_for_update().execution_options(populate_existing=True)
_LOCK = _LOCKING.where(Job.id == bindparam("job_id"))
_LOCK_OF = _LOCKING.where(
    Job.id == select(Approval.job_id).where(Approval.id == bindparam("approval_id")).scalar_subquery()
)


def add(session: Session, new: Sequence[Job]) -> set[str]:
    """The ids of those jobs that were written: not of one whose owner has used its Idempotency-Key before.

    On PostgreSQL a second request with the same key waits here for the first one's commit.
    """
    if not new:
        return set()
    rows = [{column: getattr(job, attribute) for attribute, column in _COLUMNS} for job in new]
    return set(session.connection().execute(_INSERT[session.get_bind().dialect.name], rows).scalars())


def find(session: Session, job_id: str) -> Job | None:
    return session.get(Job, job_id)


def lock(session: Session, job_id: str) -> Job | None:
    """The job, which nobody else changes until this transaction ends. Taken before any lock on its approvals."""
    return session.exec(_LOCK, params={"job_id": job_id}).one_or_none()


def lock_of(session: Session, approval_id: str) -> Job | None:
    """The job of this approval, locked likewise; None for an approval without one."""
    return session.exec(_LOCK_OF, params={"approval_id": approval_id}).one_or_none()


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
