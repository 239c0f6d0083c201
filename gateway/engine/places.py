"""How many pieces of work this process does at a time, queue by queue.

DBOS counts them too, and its own polls go by that count: so the places are
entries in its register of what runs here, whoever began it.
"""

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

from dbos import DBOS

from gateway.engine.queue_rows import Piece

_LOOKING = "looking:"  # begins the name of a place that has no piece yet


class Place(Protocol):
    """One piece of work that is being done, or is about to be; ``release`` may be called again."""

    def release(self) -> None: ...


class Places:
    """The places of one worker."""

    def __init__(self, dbos: DBOS, concurrency: Mapping[str, int]) -> None:
        self._register = dbos._active_workflows_set
        self._concurrency = concurrency
        self._taking = threading.Lock()
        self._looking = dict.fromkeys(concurrency, 0)

    def take_for(self, piece: Piece) -> Place | None:
        """A place for work that this process queues and begins itself; None without room.

        Such work takes none once half of the queue's places are at work: what waits must not be overtaken for ever.
        """
        most = self._concurrency[piece.queue]
        with self._taking:
            taken = self._register.count_for_queue(piece.queue)
            if taken >= most or taken - self._looking[piece.queue] >= most // 2:
                return None
            return self._add(piece.id, piece.queue)

    def take_free(self, queue: str) -> list[Place]:
        """Free places for work that is looked for next; each is to be given or given back.

        They are half of the queue's at most: meanwhile the others can be taken.
        """
        most = self._concurrency[queue]
        with self._taking:
            # DBOS's own polls may have gone beyond the limit.
            free = max(0, min(most - self._register.count_for_queue(queue), most - most // 2))
            self._looking[queue] += free
            return [self._add(f"{_LOOKING}{uuid.uuid4()}", queue) for _ in range(free)]

    def give(self, place: Place, piece: Piece) -> Place:
        """The place, from now on in the piece's name."""
        with self._taking:
            named = self._add(piece.id, piece.queue)
            self._looking[piece.queue] -= 1
            place.release()
        return named

    def give_back(self, queue: str, places: list[Place]) -> None:
        """For these places nothing was found."""
        with self._taking:
            self._looking[queue] -= len(places)
            for place in places:
                place.release()

    def has_free(self, queue: str) -> bool:
        """True when another piece could be begun."""
        return self._register.count_for_queue(queue) < self._concurrency[queue]

    def held(self) -> set[str]:
        """The ids of all pieces that are being done."""
        return {each for each in self._register.activeList() if not each.startswith(_LOOKING)}

    def _add(self, piece_id: str, queue: str) -> Place:
        place: Place = self._register.add(piece_id, queue)
        return place


Begin = Callable[[Piece, Place], None]
