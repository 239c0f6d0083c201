"""Jobs that come one after the other, from several apps at once, until it is enough."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from tests.crash.case import ENDED_WITHIN_S
from tests.crash.people import Job, People
from tests.crash.points import Talk


@dataclass
class Load:
    """What was submitted so far."""

    people: People
    talks: tuple[Talk, ...]
    jobs: list[Job] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    deadline_s: float = float("inf")  #: monotonic
    _enough: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> int:
        """How many jobs have ended so far."""
        return sum(job.ended_at_s > 0 for job in self.jobs)

    def stop(self) -> None:
        """No further job is submitted, and those on their way have to end in time."""
        self.deadline_s = time.monotonic() + ENDED_WITHIN_S
        self._enough.set()

    def run(self) -> None:
        for talk in cycle(self.talks):
            if self._enough.is_set():
                return
            job = self.people.new_job(talk)
            self.jobs.append(job)
            try:
                self.people.see_through(job, lambda: self.deadline_s)
            except BaseException as failure:
                self.failures.append(failure)
                return


@contextmanager
def under_load(people: People, *talks: Talk, apps: int = 4) -> Iterator[Load]:
    """While the block runs, so many jobs of these talks are on their way; all have ended with it.

    Raises: NotAsPromised.
    """
    load = Load(people, talks)
    threads = [threading.Thread(target=load.run, name=f"app-{number}", daemon=True) for number in range(apps)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop()
        for thread in threads:
            thread.join()
    if load.failures:
        raise load.failures[0]
