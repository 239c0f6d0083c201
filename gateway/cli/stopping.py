"""Ending in order when the system or a person asks for it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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
