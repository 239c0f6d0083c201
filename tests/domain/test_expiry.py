"""When people are warned that a call will expire."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.expiry import warning_time

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left_s", "share", "notice_s"),
    [
        (86400, 0.1, 8640),
        (601, 0.1, 60.1),
        (600, 0.1, 60),
        (599, 0.1, 60),
        (120, 0.1, 60),
        (3600, 0.5, 1800),
        (120, 0.5, 60),
    ],
)
def test_warning_comes_when_the_share_is_left_and_at_least_a_minute_before(left_s, share, notice_s):
    expires_at = NOW + timedelta(seconds=left_s)

    assert warning_time(NOW, expires_at, share) == expires_at - timedelta(seconds=notice_s)


@pytest.mark.parametrize(("left_s", "share"), [(119.999, 0.1), (1, 0.5), (-5, 0.1), (86400, 0)])
def test_short_times_and_a_share_of_nothing_have_no_warning(left_s, share):
    assert warning_time(NOW, NOW + timedelta(seconds=left_s), share) is None


def test_what_never_expires_has_no_warning():
    assert warning_time(NOW, None, 0.1) is None
