"""Waking DBOS's queue threads when there is work, instead of at their next poll.

DBOS (3.4) starts one thread per queue, named ``queue-worker-<queue>``, which
polls and then sleeps in ``wait`` of a stop event that it shares with the other
background threads. The events that pass through ``WakeableEvents`` sleep on a
condition of ours instead, so that ``Waker.wake`` ends the sleep of one queue.
Polling goes on underneath: without this module everything still runs, later.
"""

import math
import threading
import time
from collections.abc import Callable

QUEUE_THREAD_PREFIX = "queue-worker-"

# Work that ends makes room, but DBOS knows of it a little later, and mostly there is nothing else to do: the queue is
# polled again after a moment, not at once, and a few times when the worker was full.
ECHO_S = 0.05
ECHOES_WHEN_FULL = 3


class Waker:
    """Who is to be woken: flags, not pulses, so a call while the thread is busy is kept."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._called: set[str] = set()
        self._echoes: dict[str, int] = {}  # polls that are still to come
        self._echo_at_s: dict[str, float] = {}  # when the next of them is; monotonic

    def wake(self, queue: str) -> None:
        """The queue is polled at once, or as soon as the present poll has ended."""
        with self._changed:
            self._called.add(QUEUE_THREAD_PREFIX + queue)
            self._changed.notify_all()

    def note_end(self, queue: str, *, was_full: bool) -> None:
        """Work of the queue has ended; ``was_full``: all of the worker's slots were taken."""
        thread = QUEUE_THREAD_PREFIX + queue
        with self._changed:
            if was_full:
                self._called.add(thread)
            self._echoes[thread] = max(self._echoes.get(thread, 0), ECHOES_WHEN_FULL if was_full else 1)
            self._echo_at_s.setdefault(thread, time.monotonic() + ECHO_S)
            self._changed.notify_all()

    def make_wakeable(self, event: threading.Event) -> None:
        """Threads that wait for the event also return, with False, when they are woken."""
        set_event = event.set

        def wait(timeout: float | None = None) -> bool:
            return self._wait(event.is_set, timeout)

        def set_and_notify() -> None:
            set_event()
            with self._changed:
                self._changed.notify_all()

        event.wait = wait  # type: ignore[method-assign]
        event.set = set_and_notify  # type: ignore[method-assign]

    def _wait(self, is_set: Callable[[], bool], timeout_s: float | None) -> bool:
        me = threading.current_thread().name
        deadline_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not (is_set() or me in self._called):
                left_s = min(deadline_s, self._echo_at_s.get(me, math.inf)) - time.monotonic()
                if left_s <= 0:
                    break
                self._changed.wait(None if left_s == math.inf else left_s)
            self._called.discard(me)
            self._count_echo(me)
        return is_set()

    def _count_echo(self, thread: str) -> None:
        now_s = time.monotonic()
        if self._echo_at_s.get(thread, math.inf) > now_s:
            return
        self._echoes[thread] -= 1
        if self._echoes[thread] > 0:
            self._echo_at_s[thread] = now_s + ECHO_S
        else:
            del self._echoes[thread], self._echo_at_s[thread]


class WakeableEvents(list[threading.Event]):
    """Takes the place of DBOS's list of stop events; every event in it can be woken.

    DBOS adds an event just before it starts the thread that waits for it, so
    no thread has gone to sleep the old way.
    """

    def __init__(self, waker: Waker) -> None:
        super().__init__()
        self._waker = waker

    def append(self, event: threading.Event) -> None:
        self._waker.make_wakeable(event)
        super().append(event)
