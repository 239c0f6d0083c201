"""Which faults happen when."""

import random
import threading
import time
from collections.abc import Collection

from tests.faults.store import AFTER, BEFORE, READ, WRITE, fail


class EachOnce:
    """In every act, each of these places fails once in each of these ways; the act's caller tries again and again."""

    def __init__(self, *kinds: str, only: tuple[str, ...] = (), besides: tuple[str, ...] = ()) -> None:
        self.act = ""
        self.failed: set[tuple[str, str, str, int]] = set()
        self._kinds, self._only, self._besides = kinds, only, besides
        self._nth: dict[tuple[str, str], int] = {}

    def begin(self, act: str) -> None:
        """One more try of this act."""
        self.act = act
        self._nth.clear()

    def __call__(self, name: str, when: str) -> None:
        if when not in self._kinds or name in self._besides or (self._only and name not in self._only):
            return
        # Two calls of one function within an act are two places.
        nth = self._nth[name, when] = self._nth.get((name, when), 0) + 1
        place = (self.act, name, when, nth)
        if place not in self.failed:
            self.failed.add(place)
            fail()


class Once:
    """This place fails, the first time that it is reached."""

    def __init__(self, name: str, kind: str) -> None:
        self.has_failed = False
        self._place = (name, kind)

    def begin(self, act: str) -> None:
        """It does not matter in which act."""

    def __call__(self, name: str, when: str) -> None:
        if (name, when) == self._place and not self.has_failed:
            self.has_failed = True
            fail()


class Sometimes:
    """Any place fails with this probability, in either way; the same seed gives the same faults."""

    def __init__(self, seed: int, probability: float) -> None:
        self._chance = random.Random(seed)
        self._probability = probability

    def begin(self, act: str) -> None:
        """Every try has the same chances."""

    def __call__(self, name: str, when: str) -> None:
        if when in (BEFORE, AFTER) and self._chance.random() < self._probability:
            fail()


class Dawdle:
    """Whoever comes first to one of these places, in each act, waits there while others go on."""

    def __init__(self, names: Collection[str], seconds: float) -> None:
        self._names, self._seconds = names, seconds
        self._entering = threading.Lock()
        self._entered: set[str] = set()

    def begin(self, act: str) -> None:
        with self._entering:
            self._entered.clear()

    def __call__(self, name: str, when: str) -> None:
        if name not in self._names or when != BEFORE:
            return
        with self._entering:
            is_first = name not in self._entered
            self._entered.add(name)
        if is_first:
            time.sleep(self._seconds)


#: Both kinds of transaction; their ``after`` is a commit that nobody heard of.
TRANSACTIONS = (WRITE, READ)
