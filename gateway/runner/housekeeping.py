"""What a worker does by the clock: expiring, looking after stuck work, clearing out what is finished."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.usecases import accounts, approvals, circuits, deadlines, expiring, recovery
from gateway.usecases.gateway import Gateway

EXPIRE_EVERY_S = 1.0
WAKE_EVERY_S = 1.0
RECONCILE_EVERY_S = 30.0
QUIET_FOR_S = 60.0
PURGE_EVERY_S = 3600.0
KEEP_FINISHED_S = 24 * 3600.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Chore:
    name: str
    every_s: float
    do: Callable[[], object]
    due_at_s: float = 0.0  #: monotonic


class Housekeeping:
    """One thread that does each chore when it is due; a chore that fails is done again at its next time."""

    def __init__(self, gateway: Gateway) -> None:
        self._stopping = threading.Event()
        self._chores = (
            _Chore("expire", EXPIRE_EVERY_S, lambda: approvals.expire_due(gateway)),
            _Chore("warn_of_expiry", EXPIRE_EVERY_S, lambda: expiring.warn_due(gateway)),
            _Chore("end_overdue", EXPIRE_EVERY_S, lambda: deadlines.end_overdue(gateway)),
            _Chore("wake_waiting", WAKE_EVERY_S, lambda: circuits.wake_waiting(gateway)),
            _Chore("reconcile", RECONCILE_EVERY_S, lambda: recovery.requeue_quiet(gateway, QUIET_FOR_S)),
            _Chore("purge", PURGE_EVERY_S, lambda: gateway.engine.purge(KEEP_FINISHED_S)),
            _Chore("sign_outs", PURGE_EVERY_S, lambda: accounts.forget_old_sign_ins(gateway)),
        )
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        now_s = time.monotonic()
        for chore in self._chores:
            chore.due_at_s = now_s + chore.every_s
        self._thread.start()

    def stop(self) -> None:
        """No chore begins any more; the one at work is waited for shortly."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._stopping.wait(min(chore.every_s for chore in self._chores)):
            now_s = time.monotonic()
            for chore in self._chores:
                if chore.due_at_s <= now_s and not self._stopping.is_set():
                    chore.due_at_s = now_s + chore.every_s
                    self._do(chore)

    def _do(self, chore: _Chore) -> None:
        try:
            chore.do()
        except GatewayError as error:
            _log.warning("chore put off", extra={"event": "chore.put_off", "chore": chore.name, "code": error.code})
        except Exception:
            # A fault in one chore must not end the others; it is logged whole and tried again.
            _log.exception("chore failed", extra={"event": "chore.failed", "chore": chore.name})
