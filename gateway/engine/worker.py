"""The process that does queued work: DBOS's threads, ours beside them, and how they end."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from dbos import DBOS, DBOSClient
from dbos import error as dbos_errors
from sqlalchemy.exc import DBAPIError

from gateway.engine import work
from gateway.engine.direct import DirectWork
from gateway.engine.library import ADVANCE, MODEL_QUEUE, RUN, TOOL_QUEUE, make_config, quieten, topic
from gateway.engine.places import Place, Places
from gateway.engine.queue_rows import Piece
from gateway.engine.recovery import Recovery
from gateway.engine.taking import Taker
from gateway.errors import SchemaOutdated, WorkerStopped
from gateway.store.session import Database

POLL_S = 10.0  # DBOS's, of a queue; ours find everything before
START_TIMEOUT_S = 10.0
QUEUE_THREAD_PREFIX = "queue-worker-"  # DBOS's names for its own

logger = logging.getLogger(__name__)

# DBOS is one per process.
_in_use = threading.Lock()


@dataclass(frozen=True, slots=True)
class Handlers:
    """What a worker does with queued work. Either may be called again for work that was already done."""

    advance_job: Callable[[str], None]  #: with the job's id
    run_call: Callable[[str, int], None]  #: with the approval's id and the attempt


class Worker:
    """DBOS in this process, from its start to its end; to be started once."""

    def __init__(
        self,
        database: Database,
        executor_id: str,
        handlers: Handlers,
        *,
        lease_s: float,
        can_tell_the_dead: Callable[[], bool],
        client: DBOSClient,
    ) -> None:
        self._database = database
        self._executor_id = executor_id
        self._handlers = handlers
        self._handler_of: dict[str, Callable[..., None]] = {ADVANCE: handlers.advance_job, RUN: handlers.run_call}
        self._client = client
        self._stopping = threading.Event()
        self._listening = ExitStack()
        self._places: Places | None = None
        self._direct: DirectWork | None = None
        self._takers: dict[str, Taker] = {}
        self._recovery = Recovery(
            database,
            executor_id,
            lease_s,
            can_tell_the_dead=can_tell_the_dead,
            find_active=self._find_active,
            call_all=self._call_all,
        )

    def start(self, *, model_concurrency: int, tool_concurrency: int) -> None:
        """Both queues are worked on, and what other processes left behind is being recovered.

        Raises: SchemaOutdated.
        """
        if not _in_use.acquire(blocking=False):
            raise RuntimeError("This process already has a worker.")
        concurrency = {MODEL_QUEUE: model_concurrency, TOOL_QUEUE: tool_concurrency}
        try:
            # Before the launch, so that DBOS finds the queues when it starts its threads.
            for queue, count in concurrency.items():
                self._register_queue(queue, count)
            self._launch()
            self._start_threads(concurrency)
            self._listening.enter_context(
                self._database.signals.listening(tuple(topic(queue) for queue in concurrency), self._hear)
            )
            # DBOS starts the queues' threads from a thread of its own.
            wait_until(lambda: not _missing_queues(), START_TIMEOUT_S)
            # For what was queued while nobody worked.
            self._call_all()
        except BaseException:
            self._end()
            raise

    def take_place(self, piece: Piece) -> Place | None:
        """A place for a piece of work that this process is about to queue and begin itself; None without room."""
        if self._stopping.is_set() or self._places is None:
            return None
        return self._places.take_for(piece)

    def begin(self, piece: Piece, place: Place) -> None:
        """The piece, whose row is committed as this process's own, is being done."""
        if self._direct is None:
            place.release()  # stopped in between: it is recovered like what a dead process leaves
            return
        self._direct.begin(piece, place, partial(self._handler_of[piece.workflow], *piece.arguments))

    def check(self) -> None:
        """All threads that work depends on are alive. Raises: WorkerStopped."""
        are_alive = self._recovery.is_alive and all(taker.is_alive for taker in self._takers.values())
        if _missing_queues() or not are_alive:
            raise WorkerStopped

    def stop(self, timeout_s: float) -> None:
        """Nothing is taken any more; what ran has ended, or goes on unrecorded after ``timeout_s``."""
        self._stopping.set()
        for event in list(self._dbos.background_thread_stop_events):
            event.set()
        self._stop_takers()
        if not wait_until(self._is_idle, timeout_s):
            logger.warning("Work was still running when the worker stopped", extra={"event": "worker.cut_off"})
        self._end()

    def _register_queue(self, name: str, concurrency: int) -> None:
        try:
            self._client.register_queue(name, worker_concurrency=concurrency, polling_interval_sec=POLL_S)
        except DBAPIError as error:
            raise SchemaOutdated from error

    def _launch(self) -> None:
        quieten()
        self._register_handlers()
        self._dbos = DBOS(config=make_config(self._database, self._executor_id))
        try:
            DBOS.launch()
        except dbos_errors.DBOSInitializationError as error:
            raise SchemaOutdated from error

    def _start_threads(self, concurrency: dict[str, int]) -> None:
        places = self._places = Places(self._dbos, concurrency)
        self._direct = DirectWork(
            self._database,
            self._executor_id,
            threads=sum(concurrency.values()),
            stopping=self._stopping,
            note_free=self._note_free,
        )
        self._direct.start()
        for queue in concurrency:
            self._takers[queue] = Taker(self._database, self._executor_id, queue, places, self.begin)
            self._takers[queue].start()
        self._recovery.start()

    def _end(self) -> None:
        self._listening.close()
        self._stop_takers()
        self._recovery.stop()
        if self._direct is not None:
            self._direct.stop()
            self._direct = None
        DBOS.destroy(destroy_registry=True)
        _in_use.release()

    def _register_handlers(self) -> None:
        @DBOS.workflow(name=ADVANCE)
        def advance_job(job_id: str) -> None:
            self._do(MODEL_QUEUE, lambda: self._handlers.advance_job(job_id))

        @DBOS.workflow(name=RUN)
        def run_call(approval_id: str, attempt: int) -> None:
            self._do(TOOL_QUEUE, lambda: self._handlers.run_call(approval_id, attempt))

    def _do(self, queue: str, body: Callable[[], None]) -> None:
        """The body of a piece that DBOS's own poll found."""
        try:
            work.do(body, DBOS.workflow_id, self._stopping)
        finally:
            self._note_free(queue)

    def _find_active(self) -> set[str]:
        unnoted = self._direct.unnoted() if self._direct is not None else set()
        return unnoted | (self._places.held() if self._places is not None else set())

    def _is_idle(self) -> bool:
        return not (_working_queues() or (self._places is not None and self._places.held()))

    def _stop_takers(self) -> None:
        for taker in self._takers.values():
            taker.stop()

    def _note_free(self, queue: str) -> None:
        self._takers[queue].note_free()

    def _hear(self, topic: str) -> None:
        self._takers[topic.partition(":")[2]].call()

    def _call_all(self) -> None:
        for taker in self._takers.values():
            taker.call()


def wait_until(is_true: Callable[[], bool], timeout_s: float) -> bool:
    """True as soon as ``is_true`` says so; False after ``timeout_s`` seconds in which it did not."""
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(0.01)
    return True


def _missing_queues() -> set[str]:
    return {MODEL_QUEUE, TOOL_QUEUE} - _working_queues()


def _working_queues() -> set[str]:
    names = (thread.name for thread in threading.enumerate())
    return {name.removeprefix(QUEUE_THREAD_PREFIX) for name in names if name.startswith(QUEUE_THREAD_PREFIX)}
