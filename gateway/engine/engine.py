"""Durable queues in our own database: work is queued inside our transactions and outlives every process.

There are two queues, so that slow model calls never hold up approved tools.
What is queued carries ids only: the truth stays in our tables, and a piece of
work may be done more than once.
"""

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

from gateway.engine import queue_rows
from gateway.engine.library import (
    ADVANCE,
    DBOS_TABLES,
    MODEL_QUEUE,
    RUN,
    TOOL_QUEUE,
    check_engine,
    make_client,
    migrate_engine,
    topic,
)
from gateway.engine.queue_rows import Piece
from gateway.engine.recovery import Lease
from gateway.engine.worker import Handlers, Worker
from gateway.errors import WorkerStopped
from gateway.store import executors
from gateway.store.session import Database, Session, announce, driver_errors

DEFAULT_LEASE_S = 15.0
PURGE_BATCH = 500

__all__ = ["DBOS_TABLES", "Engine", "Handlers", "check_engine", "migrate_engine"]


class Engine:
    """The queues as one process sees them; after ``start`` it also works on them."""

    def __init__(self, database: Database) -> None:
        """Any process may enqueue; neither a thread nor a connection exists yet."""
        self.executor_id = uuid.uuid4().hex
        self._database = database
        self._client = make_client(database)
        self._lease: Lease | None = None
        self._worker: Worker | None = None

    def enqueue_advance(self, session: Session, job_id: str, seq: int, *, delay_s: float = 0.0) -> None:
        """Once the transaction commits the job is advanced; said again with the same ``seq`` it changes nothing."""
        self._enqueue(session, Piece(f"job:{job_id}:adv:{seq}", MODEL_QUEUE, ADVANCE, (job_id,)), delay_s)

    def enqueue_run(self, session: Session, approval_id: str, attempt: int, seq: int, *, delay_s: float = 0.0) -> None:
        """Once the transaction commits the call is run; said again with the same ``seq`` it changes nothing."""
        piece = Piece(f"call:{approval_id}:{attempt}:{seq}", TOOL_QUEUE, RUN, (approval_id, attempt))
        self._enqueue(session, piece, delay_s)

    @property
    def is_started(self) -> bool:
        return self._worker is not None

    def hold_lease(self, lease_s: float) -> None:
        """Other processes see this one as alive: for one that claims rows without being a worker.

        Raises: DatabaseUnavailable.
        """
        if self._lease is None:
            lease = Lease(self._database, self.executor_id, lease_s)
            lease.start()
            self._lease = lease

    def is_executor_alive(self, session: Session, executor_id: str, now: datetime) -> bool:
        """True for this process, and for another one whose lease has not run out by ``now``.

        True for everybody while this process cannot know better (``Lease.can_tell_the_dead``).
        """
        if executor_id == self.executor_id:
            return True
        if self._database.is_sqlite:
            return False
        if not self._can_tell_the_dead():
            return True
        lease_s = self._lease.lease_s if self._lease else DEFAULT_LEASE_S
        return executors.is_alive(session, executor_id, now, lease_s)

    def start(self, handlers: Handlers, *, model_concurrency: int, tool_concurrency: int, lease_s: float) -> None:
        """This process works on both queues. To be called in a plain thread: it waits for the database.

        The concurrencies are those of one worker. DBOS keeps them softly, and in
        the database: all workers go by those of the one that started last.

        Raises: DatabaseUnavailable; SchemaOutdated when ``migrate_engine`` was not run.
        """
        if self._worker is not None:
            raise RuntimeError("This engine is already started.")
        worker = Worker(
            self._database,
            self.executor_id,
            handlers,
            lease_s=lease_s,
            can_tell_the_dead=self._can_tell_the_dead,
            client=self._client,
        )
        # First, so that nobody recovers what this worker is about to take.
        self.hold_lease(lease_s)
        try:
            worker.start(model_concurrency=model_concurrency, tool_concurrency=tool_concurrency)
        except BaseException:
            self._give_up_lease()
            raise
        self._worker = worker

    def check(self) -> None:
        """This process is a worker, alive in its threads and by its lease.

        Raises: WorkerStopped; DatabaseUnavailable when the lease has run out.
        """
        if self._worker is None:
            raise WorkerStopped
        self._worker.check()
        if self._lease is not None:
            self._lease.check()

    def stop(self, timeout_s: float = 25.0) -> None:
        """No work is taken any more, what ran has ended or is left to others, and the lease is given back."""
        if self._worker is not None:
            self._worker.stop(timeout_s)
            self._worker = None
        self._give_up_lease()

    def purge(self, older_than_s: float) -> int:
        """How many pieces of work, finished for at least ``older_than_s`` seconds, were deleted.

        Their ids can be used again. Executors that have been silent for as long are forgotten too.

        Raises: DatabaseUnavailable.
        """
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        purged = batch = self._purge_batch(before)
        while batch == PURGE_BATCH:
            batch = self._purge_batch(before)
            purged += batch
        with self._database.write() as session:
            executors.remove_silent(session, self._database.now(session), older_than_s)
        return purged

    def _can_tell_the_dead(self) -> bool:
        return self._lease is None or self._lease.can_tell_the_dead()

    def _enqueue(self, session: Session, piece: Piece, delay_s: float) -> None:
        if delay_s > 0:
            queue_rows.add(session, piece, delay_s=delay_s)
            return
        worker = self._worker
        place = worker.take_place(piece) if worker is not None else None
        if worker is None or place is None:
            queue_rows.add(session, piece)
            announce(session, topic(piece.queue))
            return
        session.after_rollback.append(place.release)
        if queue_rows.add(session, piece, executor_id=self.executor_id):
            session.after_commit.append(partial(worker.begin, piece, place))
        else:
            place.release()

    def _purge_batch(self, before: datetime) -> int:
        with self._database.read() as session:
            finished = queue_rows.finished(session, before, PURGE_BATCH)
        with driver_errors():
            self._client.delete_workflows(finished)
        return len(finished)

    def _give_up_lease(self) -> None:
        if self._lease is not None:
            self._lease.stop()
            self._lease = None
