"""Holding back a poll until there is something to say, for a small part of the time that its client waits anyway."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_HOLD_S = 45.0  #: below the minute after which a proxy gives up
#: Of the time that somebody has polled so far: no time-out of theirs is passed by more than this.
HOLD_SHARE = 0.25
#: Whoever comes back later than this does not wait in a loop.
MAX_PAUSE_S = 10.0
MAX_REMEMBERED = 10_000

Clock = Callable[[], float]


@dataclass(slots=True)
class _Polling:
    since_s: float
    answered_s: float


class Polls:
    """Who polls for what, and since when.

    Clients poll every few seconds for as long as a person takes: most of these
    polls tell nothing, and the one that would comes late. A poll that is held
    is answered at the decision, and takes the place of many. Its client has a
    time-out that nobody else knows: so the longer it has polled, the longer it
    is held. A first poll is answered at once: somebody may only want to look.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, _Polling] = OrderedDict()

    def hold_s(self, poller: str) -> float:
        """For how long this poll may be held. ``poller`` says who polls for what."""
        known, now_s = self._known.get(poller), self._clock()
        if known is None or now_s - known.answered_s > MAX_PAUSE_S:
            return 0.0
        pause_s = now_s - known.answered_s
        return min(MAX_HOLD_S, max(pause_s, HOLD_SHARE * (now_s - known.since_s)))

    def answered(self, poller: str) -> None:
        """A poll was answered with "pending" just now."""
        now_s = self._clock()
        known = self._known.pop(poller, None)
        is_loop = known is not None and now_s - known.answered_s <= MAX_PAUSE_S + MAX_HOLD_S
        self._known[poller] = _Polling(known.since_s if known and is_loop else now_s, now_s)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, poller: str) -> None:
        """Nobody polls for it any more."""
        self._known.pop(poller, None)
