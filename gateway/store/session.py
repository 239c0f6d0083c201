"""Transactions on SQLite and PostgreSQL, with the same meaning on both.

A write transaction takes its locks from the first statement on and tells the
waiters after its commit; a read transaction sees one snapshot and cannot
write. Nothing but ``engine.enqueue`` may touch the database by another
connection while a write transaction is open in the same thread.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import sessionmaker

from gateway.errors import DatabaseUnavailable, InvalidSetting
from gateway.store.signals import Signals
from gateway.store.transaction import Session

SQLITE_BUSY_TIMEOUT_MS = 30_000
WRITER_LOCK_TIMEOUT_S = 30.0
POOL_SIZE = 20
SQLITE_POOL_SIZE = 64  # more than there are threads, so that nobody waits for a connection
POOL_TIMEOUT_S = 10.0
#: Silent for so long within a transaction, a process is frozen or cut off: PostgreSQL ends the transaction, whose locks
#: nobody else could ever pass. No transaction of ours waits for anything but the database.
STALLED_AFTER_S = 5.0
NOTIFY_CHANNEL = "countersign"
TOPICS_PER_NOTICE = 100

_TOPICS = "topics"
_NOTIFY = "SELECT pg_notify(%s, %s)"
_CLOCK = "SELECT clock_timestamp()"

__all__ = ["NOTIFY_CHANNEL", "Database", "Session", "announce", "driver_errors"]


class Database:
    """One engine, two kinds of transaction, and the signals that follow a commit."""

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, stalled_after_s: float = STALLED_AFTER_S) -> None:
        self.url = _checked_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.signals = Signals()
        if self.is_sqlite:
            self.engine, self.read_engine = _sqlite_engine(self.url), _sqlite_engine(self.url, reads_only=True)
            glance_engine = self.read_engine.execution_options(sqlite_begin="NONE")
        else:
            self.engine = _postgresql_engine(self.url, pool_size, stalled_after_s)
            self.read_engine = self.engine.execution_options(
                postgresql_readonly=True, isolation_level="REPEATABLE READ"
            )
            glance_engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._write = sessionmaker(self.engine, class_=Session, expire_on_commit=False)
        self._glance = sessionmaker(glance_engine, class_=Session, autoflush=False)
        self._read = sessionmaker(self.read_engine, class_=Session, expire_on_commit=False, autoflush=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """The block is one transaction: committed at its end, rolled back if it raises.

        Raises: DatabaseUnavailable when the database does not answer.
        """
        session = self._write()
        try:
            with driver_errors(), session, session.begin():
                yield session
                topics = frozenset(session.info.get(_TOPICS, ()))
                if topics and not self.is_sqlite:
                    _notify(session, sorted(topics))
                session.finish()
        except BaseException:
            for take_back in session.after_rollback:
                take_back()
            raise
        self.signals.publish(topics)
        for follow_up in session.after_commit:
            follow_up()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """The block reads one snapshot; a write in it fails.

        Raises: DatabaseUnavailable when the database does not answer.
        """
        with driver_errors(), self._read() as session:
            yield session

    @contextmanager
    def glance(self) -> Iterator[Session]:
        """The block asks single questions, each for itself: a transaction around one would cost more than it.

        Raises: DatabaseUnavailable when the database does not answer.
        """
        with driver_errors(), self._glance() as session:
            yield session

    def now(self, session: Session) -> datetime:
        """The database's clock, aware and in UTC. SQLite lives in this process: its clock is ours."""
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = session.run(_CLOCK, ()).fetchone()[0]
        return moment.astimezone(UTC)

    def dispose(self) -> None:
        """All pooled connections are closed."""
        self.engine.dispose()
        self.read_engine.dispose()


def announce(session: Session, *topics: str) -> None:
    """Whoever waits for these topics is woken once this transaction has committed."""
    session.info.setdefault(_TOPICS, set()).update(topics)


def _notify(session: Session, topics: list[str]) -> None:
    # A payload of PostgreSQL's NOTIFY ends at 8,000 bytes.
    parts = [json.dumps(topics[at : at + TOPICS_PER_NOTICE]) for at in range(0, len(topics), TOPICS_PER_NOTICE)]
    for part in parts:
        session.send(_NOTIFY, (NOTIFY_CHANNEL, part))


def _checked_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may hold a password.
        raise InvalidSetting("COUNTERSIGN_DATABASE_URL is not a database address.") from None
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise InvalidSetting("COUNTERSIGN_DATABASE_URL must name a file for SQLite: sqlite:///path/to/file.db.")
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        return parsed
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    reason = f"must begin with sqlite:/// or postgresql://, not {parsed.drivername}"
    raise InvalidSetting(f"COUNTERSIGN_DATABASE_URL {reason}.")


def _postgresql_engine(url: URL, pool_size: int, stalled_after_s: float) -> Engine:
    stalled_after_ms = round(1000 * stalled_after_s)
    options = f"-c timezone=UTC -c idle_in_transaction_session_timeout={stalled_after_ms}"
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_use_lifo=True,  # statements are prepared once per connection
        pool_pre_ping=False,
        hide_parameters=True,  # arguments and secrets stay out of what is logged about an error
        connect_args={"connect_timeout": 5, "options": options},
    )


def _sqlite_engine(url: URL, *, reads_only: bool = False) -> Engine:
    engine = create_engine(
        url,
        pool_size=SQLITE_POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_use_lifo=True,  # statements are prepared once per connection
        hide_parameters=True,
    )
    writer = threading.Lock()

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own transaction handling leaves SELECTs outside of it (Python 3.11): ours is in "begin" below.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
            # Once and for all: every change of it makes SQLite prepare all statements of the connection again.
            f"query_only={int(reads_only)}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        how = connection.get_execution_options().get("sqlite_begin", "DEFERRED" if reads_only else "IMMEDIATE")
        if how == "NONE":
            return
        held = _held_locks(connection)
        # SQLite's busy handler is unfair: queueing for a lock of this process first cuts the tail eleven-fold.
        if how == "IMMEDIATE" and not held.get("writer"):
            if not writer.acquire(timeout=WRITER_LOCK_TIMEOUT_S):
                raise DatabaseUnavailable("The database is busy writing: nothing was changed, try again shortly.")
            held["writer"] = True
        connection.exec_driver_sql(f"BEGIN {how}")

    @event.listens_for(engine, "checkin")
    def _release(_connection: Any, record: Any) -> None:
        if record.record_info.pop("writer", None):
            writer.release()

    return engine


def _held_locks(connection: Connection) -> dict[str, bool]:
    held: dict[str, bool] = connection.connection._connection_record.record_info
    return held


@contextmanager
def driver_errors() -> Iterator[None]:
    """Raises: DatabaseUnavailable for an error of the driver that says so."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable from error
        raise
