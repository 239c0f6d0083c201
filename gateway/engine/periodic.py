"""A thread that does one thing again and again until it is stopped."""

import logging
import threading
from collections.abc import Callable

from gateway.errors import DatabaseUnavailable

JOIN_TIMEOUT_S = 10.0

logger = logging.getLogger(__name__)


class Periodic:
    """Calls ``action`` every ``interval_s`` seconds; a failure is logged and does not end it."""

    def __init__(self, name: str, interval_s: float, action: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._action = action
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """The first call is under way."""
        self._thread.start()

    def stop(self) -> None:
        """No further call is made; one under way has ended, or been given ten seconds to."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(JOIN_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            try:
                self._action()
            except DatabaseUnavailable:
                logger.warning("The database is away", extra={"event": "task.delayed", "task": self._thread.name})
            except Exception:
                logger.exception("A periodic task failed", extra={"event": "task.failed", "task": self._thread.name})
            if self._stopping.wait(self._interval_s):
                return
