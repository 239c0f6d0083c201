"""A delivery's states and its attempts."""

from itertools import pairwise

import pytest

from gateway.domain.delivery import (
    ALLOWED_TRANSITIONS,
    JITTER,
    MAX_ATTEMPTS,
    MAX_RETRY_AFTER_S,
    PAUSES_S,
    DeliveryStatus,
    Outcome,
    check_transition,
    pause_after,
)
from gateway.errors import IllegalTransition

FAILED = Outcome(is_delivered=False, status=500, error="The receiver answered 500.")


@pytest.mark.parametrize("old", DeliveryStatus)
@pytest.mark.parametrize("new", DeliveryStatus)
def test_only_the_listed_transitions_are_allowed(old: DeliveryStatus, new: DeliveryStatus) -> None:
    if new in ALLOWED_TRANSITIONS[old]:
        check_transition(old, new)
        return
    with pytest.raises(IllegalTransition):
        check_transition(old, new)


def test_what_was_dropped_stays_so() -> None:
    assert ALLOWED_TRANSITIONS[DeliveryStatus.DROPPED] == frozenset()


def test_ten_attempts_are_spread_over_about_a_day() -> None:
    assert MAX_ATTEMPTS == 10
    assert 20 * 3600 < sum(PAUSES_S) < 26 * 3600
    assert all(earlier <= later for earlier, later in pairwise(PAUSES_S))


@pytest.mark.parametrize("attempts", range(1, MAX_ATTEMPTS))
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_each_pause_has_its_length_and_a_little_more(attempts: int, chance: float) -> None:
    pause = pause_after(FAILED, attempts, chance)
    assert pause is not None
    assert pause.total_seconds() == pytest.approx(PAUSES_S[attempts - 1] * (1 + JITTER * chance))


@pytest.mark.parametrize("attempts", [MAX_ATTEMPTS, MAX_ATTEMPTS + 1, 100])
def test_after_the_last_attempt_there_is_none(attempts: int) -> None:
    assert pause_after(FAILED, attempts, 0.0) is None


def test_nothing_follows_a_permanent_failure() -> None:
    assert pause_after(Outcome(is_delivered=False, status=410, is_permanent=True), 1, 0.0) is None


@pytest.mark.parametrize(("asked_s", "pause_s"), [(0, 5), (3, 5), (90, 90), (10**9, MAX_RETRY_AFTER_S), (None, 5)])
def test_receiver_may_ask_for_a_longer_pause_within_bounds(asked_s: float | None, pause_s: float) -> None:
    pause = pause_after(Outcome(is_delivered=False, status=429, retry_after_s=asked_s), 1, 0.0)
    assert pause is not None
    assert pause.total_seconds() == pause_s
