"""Holding back a poll until there is something to say, for no longer than its client waits between two of them."""

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_HOLD_S = 5.0
MAX_REMEMBERED = 10_000

Clock = Callable[[], float]


class Polls:
    """When each request was last polled for.

    Clients poll every few seconds, and a decision that falls between two polls
    is heard of late. Whoever polls again and again may be kept waiting for as
    long as they let pass by themselves: half of the decisions then arrive at
    once, and no time-out of theirs is passed by more than one such pause. A
    first poll is answered at once: somebody may only want to look.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._answered_at_s: OrderedDict[str, float] = OrderedDict()

    def hold_s(self, request_id: str) -> float:
        """For how long this poll may be held."""
        last_s = self._answered_at_s.get(request_id)
        pause_s = self._clock() - last_s if last_s is not None else None
        return pause_s if pause_s is not None and pause_s <= MAX_HOLD_S else 0.0

    def answered(self, request_id: str) -> None:
        """A poll was answered with "pending" just now."""
        self._answered_at_s[request_id] = self._clock()
        self._answered_at_s.move_to_end(request_id)
        while len(self._answered_at_s) > MAX_REMEMBERED:
            self._answered_at_s.popitem(last=False)

    def forget(self, request_id: str) -> None:
        """Nobody polls for it any more."""
        self._answered_at_s.pop(request_id, None)
