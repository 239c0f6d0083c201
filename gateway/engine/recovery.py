"""Work of processes that died is run again by those that live.

On PostgreSQL a process lives while its lease holds: it beats every third of
it, by the database's clock. On SQLite there is one process, so whatever
another one left pending is free the moment this one starts.
"""

import logging
import time
from collections.abc import Callable

from gateway.engine import queue_rows
from gateway.engine.periodic import Periodic
from gateway.engine.queue_rows import Begun
from gateway.errors import DatabaseUnavailable
from gateway.store import executors
from gateway.store.session import Database

BEATS_PER_LEASE = 3
LATE_AFTER_LEASES = 2 / BEATS_PER_LEASE
LOOK_EVERY_S = 1.0  # one statement by an index: what was left behind need not wait for long

logger = logging.getLogger(__name__)


class Lease:
    """This process's sign of life in the database; on SQLite nobody looks for one."""

    def __init__(self, database: Database, executor_id: str, lease_s: float) -> None:
        self.lease_s = lease_s
        self._database = database
        self._executor_id = executor_id
        self._beaten_at_s = time.monotonic()
        self._blind_until_s = self._beaten_at_s
        self._beating = Periodic("countersign-beat", lease_s / BEATS_PER_LEASE, self._beat)

    def start(self) -> None:
        """The process counts as alive. Raises: DatabaseUnavailable."""
        if self._database.is_sqlite:
            return
        self._beat()
        self._beating.start()

    def stop(self) -> None:
        """The process counts as gone: its pending work may be taken over at once."""
        if self._database.is_sqlite:
            return
        self._beating.stop()
        try:
            with self._database.write() as session:
                executors.remove(session, self._executor_id)
        except DatabaseUnavailable:
            logger.warning("The lease could not be given back: it runs out", extra={"event": "lease.left"})

    def check(self) -> None:
        """Raises: DatabaseUnavailable when the lease has run out, so that others may have taken this process's work."""
        if not self._database.is_sqlite and time.monotonic() - self._beaten_at_s > self.lease_s:
            raise DatabaseUnavailable

    def can_tell_the_dead(self) -> bool:
        """False while the database is out of reach, and for a lease after that.

        Then those who live could not show it either, and are silent without being dead.
        """
        now_s = time.monotonic()
        return self._database.is_sqlite or not (self._is_late(now_s) or now_s < self._blind_until_s)

    def _beat(self) -> None:
        began_s = time.monotonic()
        with self._database.write() as session:
            executors.beat(session, self._executor_id, self._database.now(session))
        if self._is_late(began_s):
            self._blind_until_s = began_s + self.lease_s
        self._beaten_at_s = began_s

    def _is_late(self, now_s: float) -> bool:
        """True when a beat is overdue: an outage that begins just before one and ends here may outlast a lease."""
        return now_s - self._beaten_at_s > LATE_AFTER_LEASES * self.lease_s


class Recovery:
    """Looks for pending work that nobody is doing, and puts it back on its queue."""

    def __init__(
        self,
        database: Database,
        executor_id: str,
        lease_s: float,
        *,
        can_tell_the_dead: Callable[[], bool],
        find_active: Callable[[], set[str]],
        call_all: Callable[[], None],
    ) -> None:
        self._database = database
        self._executor_id = executor_id
        self._lease_s = lease_s
        self._can_tell_the_dead = can_tell_the_dead
        self._find_active = find_active
        self._call_all = call_all
        self._suspects: set[Begun] = set()
        self._looking = Periodic("countersign-recovery", min(LOOK_EVERY_S, lease_s / BEATS_PER_LEASE), self._recover)

    def start(self) -> None:
        """The first look is under way; further ones follow every second."""
        self._looking.start()

    def stop(self) -> None:
        """Nothing more is taken over."""
        self._looking.stop()

    @property
    def is_alive(self) -> bool:
        return self._looking.is_alive

    def _recover(self) -> None:
        with self._database.read() as session:
            # First of all: whoever claimed what is read here had shown life before that.
            begun = queue_rows.begun(session)
        left_behind = [*self._of_the_dead(begun), *self._abandoned(begun)] if begun else []
        if left_behind and self._put_back(left_behind):
            self._call_all()

    def _of_the_dead(self, begun: list[Begun]) -> list[Begun]:
        holders = {piece.executor_id for piece in begun if piece.executor_id} - {self._executor_id}
        dead = holders - self._find_alive() if holders else set()
        if not dead or not self._can_tell_the_dead():
            return []
        logger.warning(
            "Work of silent workers is run again",
            extra={"event": "work.recovered", "executor_ids": sorted(dead)},
        )
        return [piece for piece in begun if piece.executor_id in dead]

    def _find_alive(self) -> set[str]:
        if self._database.is_sqlite:
            return set()
        with self._database.read() as session:
            return executors.find_alive(session, self._database.now(session), self._lease_s)

    def _abandoned(self, begun: list[Begun]) -> list[Begun]:
        """What this process claimed but, seen twice in a row, is not doing.

        That is left behind when the database fails between a claim and the
        start, or while an outcome is written.
        """
        active = self._find_active()
        idle = {piece for piece in begun if piece.executor_id == self._executor_id and piece.piece_id not in active}
        abandoned, self._suspects = idle & self._suspects, idle
        for piece in abandoned:
            logger.warning(
                "Abandoned work is run again", extra={"event": "work.resumed", "workflow_id": piece.piece_id}
            )
        return list(abandoned)

    def _put_back(self, pieces: list[Begun]) -> int:
        """How many of these pieces wait in their queues again."""
        with self._database.write() as session:
            return sum(queue_rows.put_back(session, piece) for piece in pieces)
