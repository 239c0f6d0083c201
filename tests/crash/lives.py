"""Processes that live until they are killed: real ones, forked from one that has imported everything before."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["__main__", "tests.crash.preload"])

#: Of the exit code of a process that SIGKILL has ended.
KILLED = -signal.SIGKILL


class Life:
    """One process, from its start to its end."""

    def __init__(
        self,
        program: Callable[[], None],
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        given: Path = Path(os.devnull),
    ) -> None:
        """``program`` runs in ``folder`` with ``sys.argv`` set; what it prints goes to the end of ``log``.

        ``given`` is its standard input.
        """
        self._process: BaseProcess = _CONTEXT.Process(
            target=_live, args=(program, tuple(arguments), dict(environment), folder, log, given)
        )
        self._process.start()
        self.log = log
        self.began_at_s = time.monotonic()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def sentinel(self) -> int:
        """Can be waited for (``multiprocessing.connection.wait``): ready when the process has ended."""
        return self._process.sentinel

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.exitcode

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit code; None when it still lives after ``timeout_s`` seconds."""
        self._process.join(timeout_s)
        return self._process.exitcode

    def end(self, grace_s: float = 0.0) -> None:
        """It has ended: by SIGTERM if it does so within ``grace_s`` seconds, else by SIGKILL."""
        if grace_s and self.exit_code is None:
            self.send(signal.SIGTERM)
            self.wait(grace_s)
        if self.exit_code is None:
            self.send(signal.SIGKILL)
        self.wait()


def _live(
    program: Callable[[], None],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    given: Path,
) -> None:
    assert "tests.crash.preload" in sys.modules, "the fork server could not import what it should"
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    _connect(given, log)
    threading.Thread(target=_die_with_the_tests, name="die-with-the-tests", daemon=True).start()
    sys.argv = ["countersign", *arguments]
    program()


def _connect(given: Path, log: Path) -> None:
    """Standard input, output and error are these files."""
    sys.stdin = given.open()
    os.dup2(sys.stdin.fileno(), 0)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(written, 1)
    os.dup2(written, 2)


def _die_with_the_tests() -> None:
    tests = multiprocessing.parent_process()
    assert tests is not None
    tests.join()
    os.kill(os.getpid(), signal.SIGKILL)
