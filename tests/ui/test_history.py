"""The log of decisions on a page: filters, pages, the export, and checking the chain."""

import csv
import io

import pytest

from gateway.domain.approval import Approve, Reject
from gateway.domain.permission import Role
from reviewer_ui.history import ROWS
from tests.factories import ask, call, decide, make_person


@pytest.fixture
def decided(gateway, reviewer):
    """An approval with an edit, and two rejections; by two people."""
    edited, rejected, other = (
        ask(gateway, call(name, details))[0]
        for name, details in [
            ("refund", '{"order_id": "one", "amount": 249.00}'),
            ("refund", '{"order_id": "two", "amount": 1}'),
            ("write", "{}"),
        ]
    )
    decide(gateway, reviewer.person, edited, Approve('{"order_id": "one", "amount": 199.00}'), note="Shipping stays")
    decide(gateway, make_person(gateway), rejected, Reject(), note='=HYPERLINK("x")')
    decide(gateway, reviewer.person, other, Reject(), note="No, thanks\nreally")
    return edited, rejected, other


def titles(page):
    return [title for title in ["Refund 249.00 for one", "Refund 1 for two", "“No, thanks"] if title in page.text]


def test_decisions_stand_newest_first_with_who_and_what(reviewer, decided):
    text = reviewer.open("/history").text

    order = ["No, thanks", "Refund 1 for two", "Refund 249.00 for one"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    for words in ["Approved with edits", "/amount from 249.00 → to 199.00", "“Shipping stays”", reviewer.person.name]:
        assert words in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("verdict=approve", ["Refund 249.00 for one"]),
        ("tool=refund", ["Refund 249.00 for one", "Refund 1 for two"]),
        ("tool=gone", []),
        ("q=shipping+STAYS", ["Refund 249.00 for one"]),
        ("q=%25", []),
        ("from=2000-01-01&to=2999-12-31", ["Refund 249.00 for one", "Refund 1 for two", "“No, thanks"]),
        ("to=9999-12-31", ["Refund 249.00 for one", "Refund 1 for two", "“No, thanks"]),
        ("to=2000-01-01", []),
        ("from=2999-12-31", []),
        ("verdict=reject&tool=write", ["“No, thanks"]),
        ("reviewer=nobody", []),
    ],
)
def test_filters_narrow_the_list_and_stay_in_the_form(reviewer, decided, query, found):
    page = reviewer.open(f"/history?{query}")

    assert titles(page) == found
    fields = page.form("/history").fields
    for name, _, value in (part.partition("=") for part in query.split("&")):
        assert fields[name] == value.replace("+", " ").replace("%25", "%")


def test_reviewer_filter_shows_what_that_person_decided(reviewer, decided):
    page = reviewer.open(f"/history?reviewer={reviewer.person.id}")

    assert titles(page) == ["Refund 249.00 for one", "“No, thanks"]


def test_day_that_is_none_is_refused_as_a_page(reviewer):
    assert "is not a day" in reviewer.open("/history?from=yesterday", status=422).text


def test_filter_that_is_wrong_is_kept_to_be_mended(reviewer):
    page = reviewer.open("/history?from=yesterday&tool=refund&q=words", status=422)

    fields = page.form("/history").fields
    assert (fields["q"], fields["tool"], fields["from"]) == ("words", "refund", "yesterday")
    assert "Export CSV" not in page.text


def test_reasons_stand_in_words(reviewer, gateway):
    (made,) = ask(gateway, call("write"))
    decide(gateway, reviewer.person, made, Reject(), reason_code="not_needed")

    for path in ("/history", f"/approvals/{made.id}"):
        text = reviewer.open(path).text
        assert "This is not needed." in text
        assert "not_needed" not in text


def test_decision_that_is_none_is_refused_as_a_page(reviewer):
    assert "approve, reject, respond" in reviewer.open("/history?verdict=maybe", status=422).text


def test_pages_of_the_history_show_every_decision_once(reviewer, gateway):
    asked = ask(gateway, *(call("write") for _ in range(ROWS + 1)))
    for approval in asked:
        decide(gateway, reviewer.person, approval, Reject())

    first = reviewer.open("/history?verdict=reject")
    (older,) = [link for link in first.links if "cursor=" in link]
    second = reviewer.open(older)

    seen = [link for page in (first, second) for link in page.links if link.startswith("/approvals/")]
    assert seen == [f"/approvals/{approval.id}" for approval in reversed(asked)]
    assert "verdict=reject" in older
    assert not [link for link in second.links if "cursor=" in link]


@pytest.mark.parametrize(
    ("query", "notes"),
    [
        ("", ["Shipping stays", '\'=HYPERLINK("x")', "No, thanks\nreally"]),
        ("verdict=reject", ['\'=HYPERLINK("x")', "No, thanks\nreally"]),
        ("q=no+thanks&tool=write&from=2000-01-01&to=2999-12-31", ["No, thanks\nreally"]),
        ("to=2000-01-01", []),
    ],
)
def test_export_link_gives_what_the_filter_finds(reviewer, decided, query, notes):
    (address,) = [link for link in reviewer.open(f"/history?{query}").links if "csv" in link]

    response = reviewer.get(address)

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["note"] for row in csv.DictReader(io.StringIO(response.text))] == notes


def test_page_claims_nothing_about_the_chain_until_it_was_verified(reviewer, decided):
    page = reviewer.open("/history")
    assert "The log has 3 entries" in page.text
    assert "erified" not in page.text

    response = reviewer.press(page, "/history/verification")

    assert response.status_code == 200
    assert "Verified just now: all 3 entries were read" in type(page)(response.text).text


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN])
def test_broken_chain_is_named(open_browser, gateway, decided, role):
    with gateway.database.write() as session:
        session.connection().exec_driver_sql("DROP TRIGGER decisions_no_update")
        session.connection().exec_driver_sql("UPDATE decisions SET note = 'other' WHERE seq = 2")
    browser = open_browser(role)

    response = browser.press(browser.open("/history"), "/history/verification")

    assert "The log does not hold" in response.text
    assert "entry 2 was changed" in response.text


def test_address_of_the_verification_opens_the_history(reviewer):
    assert "Every decision, newest first" in reviewer.open("/history/verification").text
