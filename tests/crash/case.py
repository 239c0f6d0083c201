"""One case: jobs are on their way, a process dies at a point, and afterwards everything is as promised."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.crash.installation import Installation, until
from tests.crash.people import Job, People
from tests.crash.points import Point, Talk
from tests.crash.reckoning import reckon
from tests.crash.switch import Action, Order

OBEYED_WITHIN_S = 15.0
#: Below the reconciler's first look, so that nothing here is owed to it.
FINISHED_WITHIN_S = 20.0


@dataclass
class Journey:
    """Jobs that are being seen through, each in a thread of its own."""

    people: People
    jobs: Sequence[Job]
    deadline_s: float = float("inf")  #: monotonic
    _threads: list[threading.Thread] = field(default_factory=list)
    _failures: list[BaseException] = field(default_factory=list)

    def begin(self) -> None:
        for job in self.jobs:
            thread = threading.Thread(target=self._see_through, args=(job,), name=job.key, daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self, within_s: float = FINISHED_WITHIN_S) -> None:
        """All have ended. Raises: NotAsPromised when one has not, or what people met with on the way."""
        self.deadline_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    @property
    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _see_through(self, job: Job) -> None:
        try:
            self.people.see_through(job, lambda: self.deadline_s)
        except BaseException as failure:
            self._failures.append(failure)


@contextmanager
def journey(people: People, *talks: Talk) -> Iterator[Journey]:
    """Jobs of these talks are on their way while the block runs, and have ended with it."""
    begun = Journey(people, [people.new_job(talk) for talk in talks])
    begun.begin()
    yield begun
    begun.end()


def kill_at(installation: Installation, people: People, point: Point) -> float:
    """A process was killed at the point, and all is as promised; seconds from its death to the end of all jobs.

    Raises: NotAsPromised; AssertionError when nobody came by the point.
    """
    numbers = [point.number] if point.follows is None else [point.follows, point.number]
    installation.switch.give(*(Order(number, Action.KILL) for number in numbers))
    import sys; t0=time.monotonic()
    with journey(people, *{Talk.EVERYDAY, point.talk}) as begun:
        try:
            _await(installation, len(numbers), begun)
        finally:
            installation.switch.give()
        died_at_s = time.monotonic()
    t1=time.monotonic()
    installation.await_ready()
    reckon(installation, people, begun.jobs)
    print("TIMES",point,f"until death {died_at_s-t0:.2f} until end {t1-died_at_s:.2f} reckon {time.monotonic()-t1:.2f}", [(j.talk,round(j.ended_at_s-t0,2)) for j in begun.jobs], file=sys.__stderr__)
    return max(job.ended_at_s for job in begun.jobs) - died_at_s


def _await(installation: Installation, count: int, begun: Journey) -> None:
    obeyed: Callable[[], bool] = lambda: len(installation.switch.obeyed()) == count
    until(lambda: obeyed() or begun.is_over, OBEYED_WITHIN_S, installation.said)
    begun_and_over = begun.is_over
    if begun_and_over:
        begun.end()
    assert obeyed(), "nobody came by the point"
