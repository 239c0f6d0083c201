"""How long a call can be decided, and when people are warned that it will not be for long."""

from datetime import datetime, timedelta

MAX_AHEAD = timedelta(days=400)  #: no limit of time may lie further in the future
MIN_NOTICE = timedelta(seconds=60)


def warning_time(now: datetime, expires_at: datetime | None, share: float) -> datetime | None:
    """When to warn of an expiry that was set at ``now``: once only ``share`` of the time is left.

    A warning comes at least a minute before the end. None for what never
    expires, for a share of 0, and for less than two minutes: a warning that
    comes with the question itself tells nobody anything.
    """
    if expires_at is None or share <= 0:
        return None
    left = expires_at - now
    if left < 2 * MIN_NOTICE:
        return None
    return expires_at - max(left * share, MIN_NOTICE)
