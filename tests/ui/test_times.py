"""Times are those of the browser's zone; where it has not said which, they are UTC and say so."""

import re
from datetime import UTC, datetime

import pytest
from sqlmodel import col, update

from gateway.domain.approval import Reject
from gateway.store.tables import Approval
from gateway.usecases import approvals
from reviewer_ui.preferences import ZONE_COOKIE
from tests.factories import ask, call, decide

SUMMER_NIGHT = datetime(2026, 7, 14, 22, 30, tzinfo=UTC)


@pytest.fixture
def asked_at_night(gateway):
    (made,) = ask(gateway, call("write"))
    with gateway.database.write() as session:
        session.exec(update(Approval).where(col(Approval.id) == made.id).values(created_at=SUMMER_NIGHT))
    return made


def asked(page):
    """What stands for the time of asking beside the call: the words, and the full time behind them."""
    found = re.search(r"<dt>Asked</dt><dd><time [^>]*title=\"([^\"]*)\">([^<]*)</time>", page.html)
    assert found
    return found[2], found[1]


@pytest.mark.parametrize(
    ("zone", "words", "full"),
    [
        (None, "14 Jul, 22:30 UTC", "14 Jul 2026, 22:30:00 UTC"),
        ("Europe/Paris", "15 Jul, 00:30", "15 Jul 2026, 00:30:00 CEST"),
        ("America/Los_Angeles", "14 Jul, 15:30", "14 Jul 2026, 15:30:00 PDT"),
        ("Asia/Kathmandu", "15 Jul, 04:15", "15 Jul 2026, 04:15:00 +0545"),
        ("UTC", "14 Jul, 22:30", "14 Jul 2026, 22:30:00 UTC"),
    ],
)
def test_times_are_those_of_the_browsers_zone(reviewer, asked_at_night, zone, words, full):
    if zone:
        reviewer.client.cookies.set(ZONE_COOKIE, zone)

    page = reviewer.open(f"/approvals/{asked_at_night.id}")

    assert asked(page) == (words, full)
    assert (zone or "UTC: this browser has not said") in reviewer.open("/settings").text


@pytest.mark.parametrize("wrong", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 5000, "%00", "é"])
def test_a_zone_that_is_none_is_as_if_none_was_said(reviewer, asked_at_night, wrong):
    answer = reviewer.get(f"/approvals/{asked_at_night.id}", headers={"cookie": cookies(reviewer, wrong)})

    assert answer.status_code == 200
    assert "14 Jul, 22:30 UTC" in answer.text


def cookies(reviewer, zone):
    kept = "; ".join(f"{name}={value}" for name, value in reviewer.client.cookies.items())
    return f"{kept}; {ZONE_COOKIE}={zone}".encode()


@pytest.mark.parametrize(
    ("zone", "day", "is_found"),
    [
        (None, "2026-07-14", True),
        (None, "2026-07-15", False),
        ("Europe/Paris", "2026-07-14", False),
        ("Europe/Paris", "2026-07-15", True),
    ],
)
def test_days_of_the_history_are_those_of_the_zone(monkeypatch, reviewer, gateway, zone, day, is_found):
    if zone:
        reviewer.client.cookies.set(ZONE_COOKIE, zone)
    (made,) = ask(gateway, call("write"))
    with monkeypatch.context() as at_night:
        at_night.setattr(gateway.database, "now", lambda _session: SUMMER_NIGHT)
        decide(gateway, reviewer.person, made, Reject(), note="not at night")

    page = reviewer.open(f"/history?from={day}&to={day}")

    assert ("not at night" in page.text) is is_found


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("query", ["from=0001-01-01", "to=9999-12-31", "from=9999-12-31", "to=0001-01-01"])
def test_the_first_and_the_last_day_can_be_asked_for_everywhere(reviewer, zone, query):
    reviewer.client.cookies.set(ZONE_COOKIE, zone)

    assert reviewer.get(f"/history?{query}").status_code == 200


def test_call_that_expired_meanwhile_says_that_nobody_decided(reviewer, gateway):
    (made,) = ask(gateway, call("write"))
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        session.exec(update(Approval).where(col(Approval.id) == made.id).values(expires_at=now))
    approvals.expire_due(gateway)

    standing = reviewer.open(f"/approvals/{made.id}/standing?seen=1").text

    assert "Nobody decided in time: it expired" in standing
    assert "system" not in standing
