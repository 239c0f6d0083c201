"""Executors: the worker processes, and when each of them last showed that it lives.

``now`` is the database's clock (``Database.now``), never a process's own: two
machines that disagree about the time must not bury each other.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from gateway.store.tables import Executor


def beat(session: Session, executor_id: str, now: datetime) -> None:
    """The executor was alive at ``now``."""
    session.merge(Executor(id=executor_id, beat_at=now))


def find_alive(session: Session, now: datetime, lease_s: float) -> set[str]:
    """The ids of the executors that beat within the last ``lease_s`` seconds."""
    return set(session.exec(select(Executor.id).where(col(Executor.beat_at) > _silent_since(now, lease_s))))


def is_alive(session: Session, executor_id: str, now: datetime, lease_s: float) -> bool:
    """True when the executor beat within the last ``lease_s`` seconds."""
    found = session.exec(
        select(Executor.id).where(col(Executor.id) == executor_id, col(Executor.beat_at) > _silent_since(now, lease_s))
    )
    return found.first() is not None


def remove(session: Session, executor_id: str) -> None:
    """The executor has left: what it still holds may be taken over at once."""
    session.exec(delete(Executor).where(col(Executor.id) == executor_id))


def remove_silent(session: Session, now: datetime, silent_s: float) -> None:
    """Executors that have not beaten for ``silent_s`` seconds are forgotten."""
    session.exec(delete(Executor).where(col(Executor.beat_at) <= _silent_since(now, silent_s)))


def _silent_since(now: datetime, silent_s: float) -> datetime:
    return now - timedelta(seconds=silent_s)
