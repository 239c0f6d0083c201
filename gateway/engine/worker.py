"""The process that does queued work: DBOS's threads, ours beside them, and how they end."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from dbos import DBOS, DBOSClient
from dbos import error as dbos_errors
from sqlalchemy.exc import DBAPIError

from gateway.engine import work
from gateway.engine.library import ADVANCE, MODEL_QUEUE, RUN, TOOL_QUEUE, make_config, quieten, topic
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
        client: DBOSClient,
        reader: DBOSClient,
    ) -> None:
        self._database = database
        self._executor_id = executor_id
        self._handlers = handlers
        self._client = client
        self._waker = Waker()
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._at_work = {MODEL_QUEUE: 0, TOOL_QUEUE: 0}
        self._concurrency: dict[str, int] = {}
        self._listening = ExitStack()
        self._recovery = Recovery(
            database,
            executor_id,
            lease_s,
            client=client,
            reader=reader,
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
            self._recovery.start()
            # DBOS starts the queues' threads from a thread of its own.
            wait_until(lambda: not _missing_queues(), START_TIMEOUT_S)
            # For what was queued while nobody worked.
            self._wake_all()
        except BaseException:
            self._end()
            raise

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
        with self._counting:
            self._at_work[queue] += 1
        try:
            work.do(body, DBOS.workflow_id, self._stopping)
        finally:
            with self._counting:
                was_full = self._at_work[queue] >= self._concurrency[queue]
                self._at_work[queue] -= 1
            # A slot is free: the next piece need not wait for a poll.
            self._waker.note_end(queue, was_full=was_full)

    def _find_active(self) -> set[str]:
        return set(self._dbos._active_workflows_set.activeList())

    def _is_idle(self) -> bool:
        return not _working_queues() and not self._find_active()

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
