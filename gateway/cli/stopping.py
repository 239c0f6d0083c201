"""Ending in order when the system or a person asks for it."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gateway.engine.direct import WORK_THREADS

IDLE_ENDS_WITHIN_S = 0.2


class StopRequest:
    """Whether SIGTERM or Ctrl-C has come; a second Ctrl-C no longer waits for order."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def wait(self) -> None:
        """Somebody has asked this process to end."""
        self._asked.wait()

    @property
    def has_come(self) -> bool:
        return self._asked.is_set()

    def hear(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.has_come:
            raise KeyboardInterrupt
        self._asked.set()


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """While the block runs, signals are requests and end nothing by themselves."""
    request = StopRequest()
    before = {number: signal.signal(number, request.hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_running_calls() -> None:
    """The process ends here if calls are still running: it has waited for them as long as it may.

    Python would wait for their threads to the end, and whoever asked this process to end would kill it first.
    """
    if not _is_any_running():
        return
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _is_any_running() -> bool:
    main = threading.main_thread()
    # Python waits for a pool's threads even if they are daemons, as those are that a daemon was the first to need.
    others = [
        thread
        for thread in threading.enumerate()
        if thread is not main and (not thread.daemon or thread.name.startswith(WORK_THREADS))
    ]
    for thread in others:
        # Those that are idle were told to end, and are about to.
        thread.join(timeout=IDLE_ENDS_WITHIN_S)
    return any(thread.is_alive() for thread in others)
