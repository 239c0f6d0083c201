"""Running ``countersign`` as people do: a process of its own in a folder of its own."""

import contextlib
import io
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx2
import pytest

from gateway.cli import main
from gateway.cli.logs import OUR_LOGGERS

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass
class Commands:
    """The command line in one folder, with the environment that a test gives it and nothing of ours."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments], env=self.full_environment(environment), cwd=self.folder,
            input=given, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False,
        )  # fmt: skip

    def done(self, *arguments: str, given: str = "", **environment: str) -> str:
        """What a command that must not fail printed."""
        result = self.run(*arguments, given=given, **environment)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def refused(self, *arguments: str, given: str = "", **environment: str) -> tuple[int, str]:
        """The exit code and the one sentence of a command that must fail."""
        result = self.run(*arguments, given=given, **environment)
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("Error: "), result.stderr
        assert result.stdout == ""
        return result.returncode, lines[0].removeprefix("Error: ")

    @contextlib.contextmanager
    def started(self, *arguments: str, until: str, **environment: str) -> Iterator["Running"]:
        """A command that goes on, once it has printed ``until``; it is ended with the block."""
        with subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments], env=self.full_environment(environment), cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            running = Running(process)
            try:
                running.wait_for(until)
                yield running
            finally:
                if process.poll() is None:
                    process.kill()

    def full_environment(self, more: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
        ours = ("COUNTERSIGN_", "MISTRAL_")
        base = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**base, **self.environment, **more}


class QuickCommands(Commands):
    """The same commands inside this process, for what a process of its own would add nothing to: starting one costs."""

    def run(self, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, _logging_kept():
            patch.chdir(self.folder)
            patch.setattr(os, "environ", self.full_environment(environment))
            patch.setattr(sys, "argv", ["countersign", *arguments])
            for name, stream in (("stdin", io.StringIO(given)), ("stdout", out), ("stderr", err)):
                patch.setattr(sys, name, stream)
            with pytest.raises(SystemExit) as end:
                main()
        return subprocess.CompletedProcess(arguments, int(end.value.code or 0), out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, *OUR_LOGGERS, "uvicorn.access")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers


class Running:
    """A started command and what it has printed so far, standard error included."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    @property
    def url(self) -> str:
        """The address that it printed."""
        found = ADDRESS.search(self.output)
        assert found is not None, self.output
        return found[0]

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None, self)
        assert text in self.output, self.output

    def stop(self, signal_number: int) -> float:
        """Seconds from the signal to the end of the process."""
        began_s = time.monotonic()
        self.process.send_signal(signal_number)
        self.process.wait(STOP_TIMEOUT_S)
        self._reader.join(STOP_TIMEOUT_S)
        return time.monotonic() - began_s

    def http(self, credential: str | None = None) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)


def wait_until(is_true: Callable[[], bool], running: Running | None = None) -> None:
    """Raises: AssertionError with what the process printed, if it never becomes true."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline_s, running.output if running else "waited too long"
        time.sleep(0.02)
