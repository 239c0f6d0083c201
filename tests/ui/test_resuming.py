"""A sign-in that ends while somebody types: nothing is done, and nothing that was typed is lost."""

import pytest

from gateway.domain.permission import Role
from gateway.store import accounts as account_rows
from gateway.tools.base import InDoubt
from gateway.usecases import accounts
from gateway.web.limits import MAX_NOTE_CHARS
from tests.factories import ask, call, decide, load_approval, load_decisions, make_person, run
from tests.ui.html_forms import Page

EMAIL, PASSWORD = "rita@example.com", "correct horse battery"
REJECT, APPROVE = ("verdict", "reject"), ("verdict", "approve")
NOTE = 'It was "paid" twice:\n\n  <b>see</b> order & receipt\u202e'


@pytest.fixture
def person(gateway):
    return accounts.create_person(gateway, email=EMAIL, name="Rita", role=Role.REVIEWER, password=PASSWORD)


@pytest.fixture
def browser(stranger, person):
    """Rita's browser, signed in."""
    stranger.press(stranger.open("/"), "/sign-in", email=EMAIL, password=PASSWORD)
    return stranger


@pytest.fixture
def approval(gateway):
    return ask(gateway, call("refund", '{"order_id": "ord_1", "amount": 249.00}'))[0]


def end_sign_in(gateway, person):
    with gateway.database.write() as session:
        account_rows.delete_sign_ins_of(session, person.id)


def press_too_late(browser, gateway, person, approval, button, *, form="decision", **typed):
    """The answer to a button of the review page that was pressed after the sign-in had ended."""
    view = "?view=json" if "modified_details" in typed else ""
    page = browser.open(f"/approvals/{approval.id}{view}")
    end_sign_in(gateway, person)
    return browser.press(page, f"/approvals/{approval.id}/{form}", button, **typed)


def sign_in_again(browser, response, approval, password=PASSWORD):
    return browser.press(Page(response.text), f"/approvals/{approval.id}/sign-in", email=EMAIL, password=password)


def test_note_is_still_there_after_signing_in_again_and_then_counts(browser, gateway, person, approval):
    refused = press_too_late(browser, gateway, person, approval, REJECT, note=NOTE)

    assert refused.status_code == 401
    assert "What you typed is kept" in Page(refused.text).text
    assert load_approval(gateway, approval.id).status == "pending"
    resumed = sign_in_again(browser, refused, approval)
    page = Page(resumed.text)
    assert resumed.status_code == 200
    assert page.form(f"/approvals/{approval.id}/decision").fields["note"] == NOTE
    assert "You are signed in again. Nothing was done" in page.text
    assert load_decisions(gateway, approval.id) == []

    decided = browser.press(page, f"/approvals/{approval.id}/decision", REJECT)

    assert decided.status_code == 303
    (row,) = load_decisions(gateway, approval.id)
    assert (row.verdict, row.note, row.actor_id) == ("reject", NOTE, person.id)


def test_edit_and_answer_are_still_there(browser, gateway, person, approval):
    edited = '{"order_id": "ord_1",\n "amount": 199.00}'
    refused = press_too_late(
        browser, gateway, person, approval, APPROVE, modified_details=edited, response="an answer\n"
    )

    page = Page(sign_in_again(browser, refused, approval).text)

    fields = page.form(f"/approvals/{approval.id}/decision").fields
    assert (fields["modified_details"], fields["response"]) == (edited, "an answer\n")
    assert "Approve with 1 edit" in page.text
    browser.press(page, f"/approvals/{approval.id}/decision", APPROVE, response="")
    assert load_approval(gateway, approval.id).modified_details == edited


def test_what_was_typed_about_a_doubt_is_still_there(browser, gateway, person, approval, refund):
    refund.outcome = InDoubt("time-out")
    decide(gateway, make_person(gateway), approval)
    run(gateway, approval)
    refused = press_too_late(
        browser, gateway, person, approval, ("outcome", "ran"), form="resolution", note="Seen.", result='{"paid": 1}'
    )

    page = Page(sign_in_again(browser, refused, approval).text)

    fields = page.form(f"/approvals/{approval.id}/resolution").fields
    assert (fields["note"], fields["result"]) == ("Seen.", '{"paid": 1}')


def test_wrong_password_loses_nothing(browser, gateway, person, approval):
    refused = press_too_late(browser, gateway, person, approval, REJECT, note=NOTE)

    again = sign_in_again(browser, refused, approval, password="wrong horse")

    assert again.status_code == 401
    assert "do not match an active account" in again.text
    page = Page(sign_in_again(browser, again, approval).text)
    assert page.form(f"/approvals/{approval.id}/decision").fields["note"] == NOTE


def test_nothing_that_was_typed_stands_in_an_address_or_a_header(browser, gateway, person, approval):
    refused = press_too_late(browser, gateway, person, approval, REJECT, note="secretly-typed")
    resumed = sign_in_again(browser, refused, approval)

    assert "location" not in refused.headers
    assert "secretly-typed" not in str([refused.headers, resumed.headers, refused.url, resumed.url])
    assert "secretly-typed" not in str([form.action for form in Page(refused.text).forms])
    assert PASSWORD not in refused.text + resumed.text


def test_too_long_a_note_is_kept_and_refused_as_ever(browser, gateway, person, approval):
    note = "n" * (MAX_NOTE_CHARS + 1)
    refused = press_too_late(browser, gateway, person, approval, REJECT, note=note)
    page = Page(sign_in_again(browser, refused, approval).text)

    response = browser.press(page, f"/approvals/{approval.id}/decision", REJECT)

    assert response.status_code == 422
    assert load_approval(gateway, approval.id).status == "pending"


def test_call_that_was_decided_meanwhile_shows_what_was_typed(browser, gateway, person, approval):
    refused = press_too_late(
        browser, gateway, person, approval, APPROVE, note="my note", modified_details='{"amount": 5}'
    )
    decide(gateway, make_person(gateway), approval)

    text = Page(sign_in_again(browser, refused, approval).text).text

    assert "What you typed my note" in text
    assert '{"amount": 5}' in text


def test_address_of_the_form_opened_as_a_page_is_the_review(browser, approval):
    response = browser.get(f"/approvals/{approval.id}/sign-in")

    assert (response.status_code, response.headers["location"]) == (303, f"/approvals/{approval.id}")
