"""Workers for the tests: one in this process that takes notes, others in processes that may be killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.engine.engine import Engine, Handlers
from gateway.store.listener import Listener
from gateway.store.session import Database

Work = tuple[str, ...]  # ("advance", job id) or ("run", approval id, attempt)
TIMEOUT_S = 10.0


@dataclass
class Notebook:
    """What was done, in order and when; ``body`` is what doing it consists of."""

    body: Callable[[Work], None] = lambda _work: None
    done: list[Work] = field(default_factory=list)
    begun_at_s: dict[Work, float] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def handlers(self) -> Handlers:
        return Handlers(
            advance_job=lambda job_id: self._do(("advance", job_id)),
            run_call=lambda approval_id, attempt: self._do(("run", approval_id, str(attempt))),
        )

    def wait_for(self, count: int, timeout_s: float = TIMEOUT_S) -> list[Work]:
        """What was done, once it is ``count`` pieces of work."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.done) >= count, timeout_s), f"only {self.done} was done"
            return list(self.done)

    def _do(self, work: Work) -> None:
        self.begun_at_s.setdefault(work, time.perf_counter())
        self.body(work)
        with self._changed:
            self.done.append(work)
            self._changed.notify_all()


@contextlib.contextmanager
def working(
    database: Database, notebook: Notebook, *, model_concurrency: int = 4, lease_s: float = 5.0
) -> Iterator[Engine]:
    """An engine that works in this process while the block runs, and hears of other processes."""
    engine, listener = Engine(database), Listener(database)
    listener.start()
    engine.start(notebook.handlers(), model_concurrency=model_concurrency, tool_concurrency=4, lease_s=lease_s)
    try:
        yield engine
    finally:
        engine.stop(timeout_s=5.0)
        listener.stop()


@dataclass
class OtherProcess:
    """A worker in a process of its own; it writes one line per body that it begins."""

    process: "subprocess.Popen[str]"
    notes: Path

    def begun(self) -> list[str]:
        return self.notes.read_text().split() if self.notes.exists() else []

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def other_process(url: str, notes: Path, *, body_s: float = 0.0, lease_s: float = 1.0) -> Iterator[OtherProcess]:
    """A worker process that is ready; it is stopped at the end of the block unless it was killed in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.worker_process", url, str(notes), str(body_s), str(lease_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield OtherProcess(process, notes)
        if process.poll() is None:
            process.communicate(timeout=TIMEOUT_S)


def wait_until(is_true: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.01)
