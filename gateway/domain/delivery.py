"""A delivery is one message to somebody outside: its states, and when it is tried again."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.errors import IllegalTransition


class DeliveryStatus(StrEnum):
    PENDING = "pending"  #: to be sent, or being sent
    DELIVERED = "delivered"  #: the receiver has taken it
    FAILED = "failed"  #: given up
    DROPPED = "dropped"  #: what it was to tell is no longer so; never sent


class Target(StrEnum):
    CALLBACK = "callback"  #: an address that an app gave
    NOTIFY = "notify"  #: the reviewers, at the address of the installation's setting


ALLOWED_TRANSITIONS: dict[DeliveryStatus, frozenset[DeliveryStatus]] = {
    DeliveryStatus.PENDING: frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.FAILED, DeliveryStatus.DROPPED}),
    # To pending: somebody asked for it again.
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.FAILED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.DROPPED: frozenset(),
}


def check_transition(old: DeliveryStatus, new: DeliveryStatus) -> None:
    """Raises: IllegalTransition unless a delivery may go from ``old`` to ``new``."""
    if new not in ALLOWED_TRANSITIONS[old]:
        raise IllegalTransition(f"A delivery cannot go from {old} to {new}.")


#: Before the second attempt, the third one, and so on, in seconds: ten attempts within about a day.
PAUSES_S = (5.0, 30.0, 120.0, 600.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 6 * 3600.0, 6 * 3600.0)
MAX_ATTEMPTS = len(PAUSES_S) + 1
#: The longest pause that a receiver may ask for.
MAX_RETRY_AFTER_S = 6 * 3600.0
#: Each pause is longer by up to this part of it, so that what one outage has stopped does not come back at once.
JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended."""

    is_delivered: bool
    status: int | None = None  #: of the HTTP answer
    error: str | None = None  #: one sentence
    is_permanent: bool = False  #: trying again is of no use
    retry_after_s: float | None = None  #: what the receiver asked for


def pause_after(outcome: Outcome, attempts: int, chance: float) -> timedelta | None:
    """How long to wait before the next attempt; None when that was the last one.

    ``attempts`` counts the one that ended like this; ``chance`` lies between 0 and 1.
    """
    if outcome.is_permanent or attempts >= MAX_ATTEMPTS:
        return None
    pause_s = PAUSES_S[attempts - 1] * (1 + JITTER * chance)
    return timedelta(seconds=max(pause_s, min(outcome.retry_after_s or 0.0, MAX_RETRY_AFTER_S)))
