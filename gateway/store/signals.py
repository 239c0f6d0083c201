"""Waking those who wait for a change, without asking the database again and again.

A topic is a plain word such as ``job:job_01…`` or ``queue:tools``. A signal is
only a hint that something changed: whoever is woken reads the rows again, so
a lost or doubled signal costs time, never correctness.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Listener = Callable[[str], None]


class Signals:
    """The topics of one process and who listens to them. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, set[Listener]] = defaultdict(set)

    def publish(self, topics: Iterable[str]) -> None:
        """Every listener of these topics has been called once."""
        for topic in topics:
            with self._lock:
                listeners = tuple(self._listeners.get(topic, ()))
            for listener in listeners:
                listener(topic)

    def publish_all(self) -> None:
        """Every listener has been called: after a reconnect nobody knows what was missed."""
        with self._lock:
            topics = tuple(self._listeners)
        self.publish(topics)

    @contextmanager
    def listening(self, topics: Iterable[str], listener: Listener) -> Iterator[None]:
        """While the block runs, ``listener`` is called from the publishing thread: it must be quick."""
        names = tuple(topics)
        with self._lock:
            for topic in names:
                self._listeners[topic].add(listener)
        try:
            yield
        finally:
            with self._lock:
                for topic in names:
                    self._listeners[topic].discard(listener)
                    if not self._listeners[topic]:
                        del self._listeners[topic]

    @contextmanager
    def waiting(self, *topics: str) -> Iterator["Waiter"]:
        """While the block runs, signals of these topics are kept until they are waited for.

        Enter it before reading the rows: a change between reading and waiting is then not missed.
        """
        waiter = Waiter(asyncio.get_running_loop())
        with self.listening(topics, waiter.wake):
            yield waiter


class Waiter:
    """One coroutine that waits for signals; a flag, not a pulse, so none is lost."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = asyncio.Event()

    def wake(self, _topic: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def wait(self, timeout_s: float) -> bool:
        """True as soon as a signal has come, False after ``timeout_s`` without one."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        self._changed.clear()
        return True
