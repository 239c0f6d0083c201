"""Times, spans and counts in words. Times are those of the zone that the page is made for."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400

_zone: ContextVar[tzinfo | None] = ContextVar("zone", default=None)


@contextmanager
def shown_in(zone: tzinfo | None) -> Iterator[None]:
    """The block's times are written for somebody in this zone; for None in UTC, and so marked."""
    token = _zone.set(zone)
    try:
        yield
    finally:
        _zone.reset(token)


def short_time(moment: datetime) -> str:
    """``21 Nov, 09:14``, where no zone is known ``21 Nov, 09:14 UTC``: beside a full time in the element's title."""
    zone = _zone.get()
    return f"{moment.astimezone(zone or UTC):%-d %b, %H:%M}{'' if zone else ' UTC'}"


def full_time(moment: datetime) -> str:
    """``21 Nov 2026, 09:14:05 CET``; UTC where no zone is known."""
    return f"{moment.astimezone(_zone.get() or UTC):%-d %b %Y, %H:%M:%S %Z}"


def machine_time(moment: datetime) -> str:
    """``2026-11-21T09:14:05.250Z``: for a time element's ``datetime``, which countdowns go by."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def span(seconds: float) -> str:
    """A length of time in its two largest units that matter: ``41 s``, ``3 min``, ``2 h 10 min``, ``5 d 3 h``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < _DAY_S:
        return _two(whole, _HOUR_S, "h", _MINUTE_S, "min")
    return _two(whole, _DAY_S, "d", _HOUR_S, "h")


def ago(moment: datetime, now: datetime) -> str:
    """``3 min ago``"""
    return f"{span((now - moment) / timedelta(seconds=1))} ago"


def until(moment: datetime, now: datetime) -> str:
    """How long it is until then: ``11 min``; ``0 s`` when it has passed."""
    return span((moment - now) / timedelta(seconds=1))


def clock(moment: datetime, now: datetime) -> str:
    """How long it is until then, as a countdown shows it: ``4:05``, from an hour on ``1 h 12 min``."""
    seconds = max(0, int((moment - now) / timedelta(seconds=1)))
    return f"{seconds // 60}:{seconds % 60:02}" if seconds < _HOUR_S else span(seconds)


def took(seconds: float) -> str:
    """How long something ran: ``0.4 s``, from ten seconds on as ``span`` says it."""
    return f"{seconds:.1f} s" if seconds < 10 else span(seconds)


def epoch_ms(moment: datetime) -> int:
    """The moment as browsers count: milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def nth(number: int) -> str:
    """``2nd``"""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _two(whole: int, large_s: int, large: str, small_s: int, small: str) -> str:
    count, rest = divmod(whole, large_s)
    return f"{count} {large} {rest // small_s} {small}" if rest >= small_s else f"{count} {large}"
