"""One case: jobs are on their way, a process dies at a point, and afterwards everything is as promised."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.crash.installation import Installation, until
from tests.crash.people import Job, People
from tests.crash.points import Point, Talk
from tests.crash.reckoning import reckon
from tests.crash.switch import Obeyed, Order

OBEYED_WITHIN_S = 30.0
#: Less than the minute after which the reconciler looks after what has not moved: nothing here is owed to it.
ENDED_WITHIN_S = 45.0


@dataclass
class Journey:
    """Jobs that are being seen through, each in a thread of its own."""

    people: People
    jobs: Sequence[Job]
    deadline_s: float = float("inf")  #: monotonic
    _threads: list[threading.Thread] = field(default_factory=list)
    _failures: list[BaseException] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def begin(self) -> None:
        for job in self.jobs:
            thread = threading.Thread(target=self._see_through, args=(job,), name=job.key, daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self, within_s: float = ENDED_WITHIN_S) -> None:
        """All have ended. Raises: NotAsPromised when one has not, or what people met with on the way."""
        self.deadline_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _see_through(self, job: Job) -> None:
        try:
            self.people.see_through(job, lambda: self.deadline_s)
        except BaseException as failure:
            self._failures.append(failure)


@contextmanager
def journey(people: People, *talks: Talk, within_s: float = ENDED_WITHIN_S) -> Iterator[Journey]:
    """Jobs of these talks are on their way while the block runs, and have ended with it."""
    begun = Journey(people, [people.new_job(talk) for talk in talks])
    begun.begin()
    yield begun
    begun.end(within_s)


def kill_at(installation: Installation, people: People, point: Point, *, let_through: int = 0) -> float:
    """A process died at the point, and all is as promised; seconds from its death to the end of its job.

    Raises: NotAsPromised; AssertionError when nobody came by the point.
    """
    orders = [Order(point.number, let_through=let_through)]
    if point.follows is not None:
        orders.insert(0, Order(point.follows))
    installation.switch.give(*orders)
    with journey(people, point.talk) as begun:
        await_obedience(installation, begun, len(orders))
        died_at_s = time.monotonic()
    reckon(installation, people, begun.jobs)
    return max(job.ended_at_s for job in begun.jobs) - died_at_s


def await_obedience(installation: Installation, begun: Journey, count: int) -> list[Obeyed]:
    """So many orders were carried out. Raises: AssertionError when all jobs ended before; NotAsPromised."""
    switch = installation.switch
    try:
        until(lambda: begun.is_over or len(switch.obeyed()) == count, OBEYED_WITHIN_S, installation.said)
        if len(switch.obeyed()) < count:
            begun.end()
            raise AssertionError(f"nobody came by the point: only {switch.obeyed()}")
        return switch.obeyed()
    finally:
        switch.withdraw()
