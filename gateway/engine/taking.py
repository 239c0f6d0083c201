"""Taking work from a queue: as many pieces at once as there are free places, by one statement.

DBOS's own poll does the same with a dozen statements for every piece. It goes
on underneath, seldom: without this module everything still runs, later and at
several times the cost.
"""

import logging
import threading
import time

from gateway.engine import queue_rows
from gateway.engine.places import Begin, Places
from gateway.errors import DatabaseUnavailable
from gateway.store.session import Database

LOOK_EVERY_S = 1.0  # unasked: at what has become due, and at what was queued while nobody could be told
LOOK_AGAIN_S = 0.05  # while more waits than there are places: DBOS's own pieces leave theirs without a word
RETRY_S = 1.0

logger = logging.getLogger(__name__)


class Taker:
    """One queue's thread: asleep until somebody says that there is work, or that there is room for more of it."""

    def __init__(self, database: Database, executor_id: str, queue: str, places: Places, begin: Begin) -> None:
        self._database = database
        self._executor_id = executor_id
        self._queue = queue
        self._places = places
        self._begin = begin
        self._changed = threading.Condition()
        self._is_called = False
        self._has_more = False
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=f"countersign-take-{queue}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def call(self) -> None:
        """The queue is looked at as soon as there is a place. A call while the thread is busy is kept."""
        with self._changed:
            self._is_called = True
            self._changed.notify_all()

    def note_free(self) -> None:
        """A place is free: if more waited than there was room for, it is taken now."""
        with self._changed:
            if self._has_more:
                self._changed.notify_all()

    def stop(self) -> None:
        """Nothing is taken any more."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (is_called := self._await_call()) is not None:
            try:
                if is_called or self._has_waiting():
                    self._take()
            except DatabaseUnavailable:
                logger.warning("Queued work is looked for later", extra={"event": "work.taking_delayed"})
                self._retry_later()
            except Exception:
                # Whatever it was, a thread that died of it would find nothing any more.
                logger.exception("Queued work could not be taken", extra={"event": "work.taking_failed"})
                self._retry_later()

    def _await_call(self) -> bool | None:
        """True when somebody says that there is something to take and there is a place for it.

        False when nobody has said so for a while; None once the worker stops.
        """
        look_at_s = time.monotonic() + LOOK_EVERY_S
        with self._changed:
            while not self._is_stopping:
                is_wanted = self._is_called or self._has_more
                has_place = self._places.has_free(self._queue)
                if is_wanted and has_place:
                    self._is_called = False
                    return True
                left_s = look_at_s - time.monotonic()
                if left_s <= 0 and has_place:
                    return False
                self._changed.wait(left_s if left_s > 0 and not is_wanted else LOOK_AGAIN_S)
        return None

    def _has_waiting(self) -> bool:
        with self._database.read() as session:
            return queue_rows.has_waiting(session, self._queue)

    def _take(self) -> None:
        places = self._places.take_free(self._queue)
        try:
            with self._database.write() as session:
                pieces = queue_rows.take(session, self._executor_id, self._queue, len(places))
            self._has_more = len(pieces) == len(places)
            for piece in pieces:
                self._begin(piece, self._places.give(places.pop(), piece))
        finally:
            self._places.give_back(self._queue, places)

    def _retry_later(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, RETRY_S)
            self._is_called = True
