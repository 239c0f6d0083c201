"""Checking the log of decisions."""

from dataclasses import dataclass

from gateway.domain.chain import Break, first_break
from gateway.store import decisions
from gateway.usecases.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk over the whole chain found."""

    count: int  #: entries according to the head
    head_hash: str
    break_: Break | None  #: the first bad place; None when the chain holds


def verify(gateway: Gateway) -> Verification:
    """Every entry is read and compared with the one before it and with the head, in one snapshot."""
    with gateway.database.read() as session:
        head = decisions.head(session)
        return Verification(head.seq, head.hash, first_break(decisions.chain(session), head.seq, head.hash))
