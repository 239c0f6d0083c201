"""How long a poll may be held: not at first, then for a share of the time that its client has waited."""

from gateway.api.cheqpoint.polls import HOLD_SHARE, MAX_HOLD_S, MAX_PAUSE_S, MAX_REMEMBERED, Polls


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_first_look_is_answered_at_once_and_so_is_one_after_a_long_pause() -> None:
    clock = Clock()
    polls = Polls(clock)
    assert polls.hold_s("a") == 0

    polls.answered("a")
    clock.now_s += MAX_PAUSE_S + 1
    assert polls.hold_s("a") == 0


def test_no_time_out_is_passed_by_more_than_a_pause_or_a_quarter() -> None:
    """A client as the SDK is: it asks, sleeps three seconds, asks again, and gives up at a time of its own."""
    count = 0
    for gives_up_s in (1.0, 10.0, 30.0, 100.0, 300.0):
        clock = Clock()
        polls, began_s = Polls(clock), clock.now_s
        count = 0
        while clock.now_s - began_s < gives_up_s:
            clock.now_s += polls.hold_s("a")
            polls.answered("a")
            count += 1
            clock.now_s += min(3.0, max(0.0, gives_up_s - (clock.now_s - began_s)))
        late_s = clock.now_s - began_s - gives_up_s
        assert late_s <= max(3.0, HOLD_SHARE * gives_up_s)
        assert late_s <= MAX_HOLD_S
    assert count < 20  # of a hundred polls in 300 s


def test_what_was_decided_is_forgotten_and_only_so_many_are_known() -> None:
    polls = Polls(Clock())
    for number in range(MAX_REMEMBERED + 5):
        polls.answered(str(number))
    polls.forget("7")
    polls.forget("7")

    assert len(polls._known) == MAX_REMEMBERED - 1
    assert "0" not in polls._known
