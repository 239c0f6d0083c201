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
from gateway.engine.direct import DirectWork, Slot
from gateway.engine.library import ADVANCE, MODEL_QUEUE, RUN, TOOL_QUEUE, make_config, quieten, topic
from gateway.engine.queue_rows import Piece
from gateway.engine.recovery import Recovery
from gateway.engine.waking import QUEUE_THREAD_PREFIX, WakeableEvents, Waker
from gateway.errors import SchemaOutdated, WorkerStopped
from gateway.store.session import Database

POLL_S = 1.0  # the fallback: normally a queue is woken
START_TIMEOUT_S = 10.0

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
        reader: DBOSClient,
    ) -> None:
        self._database = database
        self._executor_id = executor_id
        self._handlers = handlers
        self._handler_of: dict[str, Callable[..., None]] = {ADVANCE: handlers.advance_job, RUN: handlers.run_call}
        self._client = client
        self._waker = Waker()
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._at_work = {MODEL_QUEUE: 0, TOOL_QUEUE: 0}
        self._concurrency: dict[str, int] = {}
        self._listening = ExitStack()
        self._direct: DirectWork | None = None
        self._taking = threading.Lock()
        self._recovery = Recovery(
            database,
            executor_id,
            lease_s,
            client=client,
            reader=reader,
            can_tell_the_dead=can_tell_the_dead,
            find_active=self._find_active,
            wake_all=self._wake_all,
        )

    def start(self, *, model_concurrency: int, tool_concurrency: int) -> None:
        """Both queues are worked on, and what other processes left behind is being recovered.

        Raises: SchemaOutdated.
        """
        if not _in_use.acquire(blocking=False):
            raise RuntimeError("This process already has a worker.")
        self._concurrency = {MODEL_QUEUE: model_concurrency, TOOL_QUEUE: tool_concurrency}
        try:
            # Before the launch, so that DBOS finds the queues when it starts its threads.
            self._register_queue(MODEL_QUEUE, model_concurrency)
            self._register_queue(TOOL_QUEUE, tool_concurrency)
            self._launch()
            self._listening.enter_context(
                self._database.signals.listening((topic(MODEL_QUEUE), topic(TOOL_QUEUE)), self._hear)
            )
            self._direct = DirectWork(
                self._database,
                self._executor_id,
                threads=model_concurrency + tool_concurrency,
                stopping=self._stopping,
            )
            self._direct.start()
            self._recovery.start()
            # DBOS starts the queues' threads from a thread of its own.
            wait_until(lambda: not _missing_queues(), START_TIMEOUT_S)
            # For what was queued while nobody worked.
            self._wake_all()
        except BaseException:
            self._end()
            raise

    def take_slot(self, piece: Piece) -> Slot | None:
        """A place for a piece of work that this process is about to queue and begin itself; None without room.

        Such work takes half of a queue's places at most: what waits in the queue must not be overtaken for ever.
        """
        if self._stopping.is_set() or self._direct is None:
            return None
        active = self._dbos._active_workflows_set
        with self._taking:
            if active.count_for_queue(piece.queue) >= self._concurrency[piece.queue] // 2:
                return None
            slot: Slot = active.add(piece.id, piece.queue)
            return slot

    def begin(self, piece: Piece, slot: Slot) -> None:
        """The piece, whose row is committed as this process's own, is being done."""
        if self._direct is None:
            slot.release()  # stopped in between: it is recovered like what a dead process leaves
            return
        self._direct.begin(piece, slot, partial(self._do_directly, piece))

    def check(self) -> None:
        """All threads that work depends on are alive. Raises: WorkerStopped."""
        if _missing_queues() or not self._recovery.is_alive:
            raise WorkerStopped

    def stop(self, timeout_s: float) -> None:
        """Nothing is taken any more; what ran has ended, or goes on unrecorded after ``timeout_s``."""
        self._stopping.set()
        for event in list(self._dbos.background_thread_stop_events):
            event.set()
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
        self._dbos.background_thread_stop_events = WakeableEvents(self._waker)
        try:
            DBOS.launch()
        except dbos_errors.DBOSInitializationError as error:
            raise SchemaOutdated from error

    def _end(self) -> None:
        self._listening.close()
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
        self._enter(queue)
        try:
            work.do(body, DBOS.workflow_id, self._stopping)
        finally:
            # A slot is free: the next piece need not wait for a poll.
            self._waker.note_end(queue, was_full=self._leave(queue))

    def _do_directly(self, piece: Piece) -> None:
        self._enter(piece.queue)
        try:
            self._handler_of[piece.workflow](*piece.arguments)
        finally:
            if self._leave(piece.queue):
                self._waker.note_end(piece.queue, was_full=True)

    def _enter(self, queue: str) -> None:
        with self._counting:
            self._at_work[queue] += 1

    def _leave(self, queue: str) -> bool:
        """True when all of the queue's places were taken until now."""
        with self._counting:
            was_full = self._at_work[queue] >= self._concurrency[queue]
            self._at_work[queue] -= 1
        return was_full

    def _find_active(self) -> set[str]:
        unnoted = self._direct.unnoted() if self._direct is not None else set()
        return unnoted | set(self._dbos._active_workflows_set.activeList())

    def _is_idle(self) -> bool:
        return not _working_queues() and not self._dbos._active_workflows_set.activeList()

    def _hear(self, topic: str) -> None:
        self._waker.wake(topic.partition(":")[2])

    def _wake_all(self) -> None:
        self._waker.wake(MODEL_QUEUE)
        self._waker.wake(TOOL_QUEUE)


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
