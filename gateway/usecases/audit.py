"""Checking the log of decisions."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.domain.chain import Break, first_break
from gateway.store import decisions
from gateway.usecases.gateway import Gateway

WATCH_EVERY = 1_000  # entries


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk over the whole chain found."""

    count: int  #: entries according to the head
    head_hash: str
    break_: Break | None  #: the first bad place; None when the chain holds


def verify(gateway: Gateway, watch: Callable[[int, int], None] | None = None) -> Verification:
    """Every entry is read and compared with the one before it and with the head, in one snapshot.

    ``watch`` is told now and then how many entries were read, and how many there are.
    """
    with gateway.database.read() as session:
        head = decisions.head(session)
        if head is None:
            return Verification(0, "", Break(1, "the head is missing, so that nobody can say where the log ends"))
        entries = _watched(decisions.chain(session), head.seq, watch) if watch else decisions.chain(session)
        return Verification(head.seq, head.hash, first_break(entries, head.seq, head.hash))


def _watched(
    entries: Iterable[dict[str, Any]], total: int, watch: Callable[[int, int], None]
) -> Iterator[dict[str, Any]]:
    for count, entry in enumerate(entries, start=1):
        yield entry
        if count % WATCH_EVERY == 0:
            watch(count, total)
