"""Waking DBOS's queue threads when there is work, instead of at their next poll.

DBOS (3.4) starts one thread per queue, named ``queue-worker-<queue>``, which
polls and then sleeps in ``wait`` of a stop event that it shares with the other
background threads. The events that pass through ``WakeableEvents`` sleep on a
condition of ours instead, so that ``Waker.wake`` ends the sleep of one queue.
Polling goes on underneath: without this module everything still runs, later.
"""

import threading
from collections.abc import Callable

QUEUE_THREAD_PREFIX = "queue-worker-"

# Work that ends wakes its queue just before DBOS frees its slot, so a woken
# queue looks again a few times before it sleeps out its interval.
ECHOES = 3
ECHO_S = 0.05


class Waker:
    """Who is to be woken: flags, not pulses, so a call while the thread is busy is kept."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._called: set[str] = set()
        self._echoes: dict[str, int] = {}

    def wake(self, queue: str) -> None:
        """The queue is polled at once, or as soon as the present poll has ended."""
        with self._changed:
            self._called.add(QUEUE_THREAD_PREFIX + queue)
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
        with self._changed:
            echoes = self._echoes.get(me, 0)
            if echoes and timeout_s is not None:
                timeout_s = min(timeout_s, ECHO_S)
            self._changed.wait_for(lambda: is_set() or me in self._called, timeout_s)
            was_called = me in self._called
            self._called.discard(me)
            self._echoes[me] = ECHOES if was_called else max(0, echoes - 1)
        return is_set()


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
