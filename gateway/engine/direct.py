"""Work that is begun by the process that queued it, the moment its transaction has committed.

A queue's thread would find it too, some milliseconds and a dozen statements
later. The row of such work says from the start that this process is doing it,
so it is neither lost nor done elsewhere: if the process dies, its lease runs
out and the row is recovered like all others.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gateway.engine import queue_rows, work
from gateway.engine.places import Place
from gateway.engine.queue_rows import Ended, Piece
from gateway.errors import DatabaseUnavailable
from gateway.store.session import Database

#: Ended work is written down together this long after the first of it: until then a restart would do it again, which
#: changes nothing.
NOTE_AFTER_S = 0.25
RETRY_S = 1.0
WORK_THREADS = "countersign-work"  # begins the names of the threads in which such work is done

logger = logging.getLogger(__name__)


class DirectWork:
    """The pieces that this process queued and does itself, from their beginning to the note of their end."""

    def __init__(
        self,
        database: Database,
        executor_id: str,
        *,
        threads: int,
        stopping: threading.Event,
        note_free: Callable[[str], None],
    ) -> None:
        """No thread runs before ``start``. ``stopping`` says that the process is about to end.

        ``note_free`` is told the queue of every piece whose place has become free.
        """
        self._database = database
        self._executor_id = executor_id
        self._stopping = stopping
        self._note_free = note_free
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=WORK_THREADS)
        self._changed = threading.Condition()
        self._ended: list[Ended] = []
        self._closing = threading.Event()
        self._noting = threading.Thread(target=self._note_ends, name="countersign-ends", daemon=True)

    def start(self) -> None:
        self._noting.start()

    def begin(self, piece: Piece, place: Place, body: Callable[[], None]) -> None:
        """The body is under way in a thread of its own; its row is committed."""
        self._threads.submit(self._do, piece, place, body)

    def unnoted(self) -> set[str]:
        """Pieces that have ended, which their rows do not say yet."""
        with self._changed:
            return {ended.piece_id for ended in self._ended}

    def stop(self) -> None:
        """What has ended is written down; what has not is left to whoever recovers it."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._noting.ident is not None:
            self._noting.join()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _do(self, piece: Piece, place: Place, body: Callable[[], None]) -> None:
        error = None
        try:
            work.do(body, piece.id, self._stopping)
        except work.WorkFailed as failure:
            error = str(failure)
        except work.LeftForRecovery:
            place.release()
            return
        # Before the place is free: whoever looks for abandoned work in between must find it in one of the two.
        with self._changed:
            self._ended.append(Ended(piece.id, error))
            self._changed.notify_all()
        place.release()
        self._note_free(piece.queue)

    def _note_ends(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._closing.is_set())
            is_last = self._closing.wait(NOTE_AFTER_S)
            with self._changed:
                noted = list(self._ended)
            try:
                if noted:
                    with self._database.write() as session:
                        queue_rows.end(session, self._executor_id, noted)
                with self._changed:
                    del self._ended[: len(noted)]
            except DatabaseUnavailable:
                logger.warning("Ended work is written down later", extra={"event": "work.note_delayed"})
                self._closing.wait(RETRY_S)
            if is_last:
                return
