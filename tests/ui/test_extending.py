"""Giving a call more time on its page, without JavaScript."""

from datetime import timedelta

import pytest

from gateway.domain.approval import Reject
from tests.factories import ago, ask, call, change_approval, decide, load_approval, load_decisions, make_person

DETAILS = '{"order_id": "ord_1", "amount": 249.00}'


@pytest.fixture
def approval(gateway):
    (made,) = ask(gateway, call("refund", DETAILS))
    change_approval(gateway, made.id, expires_at=ago(gateway, -600))
    return load_approval(gateway, made.id)


def address(approval):
    return f"/approvals/{approval.id}"


@pytest.mark.parametrize(("button", "more"), [(0, timedelta(hours=1)), (1, timedelta(days=1))])
def test_button_gives_more_time_once_however_often_it_is_pressed(reviewer, gateway, approval, button, more):
    page = reviewer.open(address(approval))
    action = f"{address(approval)}/extend"

    answers = [reviewer.press(page, action, page.form(action).buttons[button]) for _ in range(2)]

    for response in answers:
        assert (response.status_code, response.headers["location"]) == (303, address(approval))
    assert load_approval(gateway, approval.id).expires_at == approval.expires_at + more
    assert [(row.verdict, row.channel) for row in load_decisions(gateway, approval.id)] == [("extend", "page")]
    assert "Given more time" in reviewer.open(address(approval)).text


def test_refusal_is_shown_on_the_page(reviewer, gateway, approval):
    page = reviewer.open(address(approval))
    action = f"{address(approval)}/extend"
    decide(gateway, make_person(gateway), approval, Reject())

    response = reviewer.press(page, action, page.form(action).buttons[0])

    assert response.status_code == 409
    assert "already decided" in response.text


@pytest.mark.parametrize("expires_at", ["", "soon", "2020-01-01T00:00:00Z"])
def test_time_that_no_button_sends_is_refused(reviewer, gateway, approval, expires_at):
    response = reviewer.post(f"{address(approval)}/extend", {"expires_at": expires_at})

    assert response.status_code == 422
    assert load_approval(gateway, approval.id).expires_at == approval.expires_at


def test_no_button_where_nothing_can_be_given(reviewer, auditor, gateway, approval):
    (endless,) = ask(gateway, call("refund", DETAILS))

    for browser, shown in ((auditor, approval), (reviewer, endless)):
        assert "Give it" not in browser.open(address(shown)).text
    assert auditor.post(f"{address(approval)}/extend", {"expires_at": "2026-12-24T00:00:00Z"}).status_code == 403


def test_address_of_the_form_leads_to_the_page(reviewer, approval):
    response = reviewer.get(f"{address(approval)}/extend")

    assert (response.status_code, response.headers["location"]) == (303, address(approval))


def test_deadline_is_shown_with_the_job(reviewer, gateway):
    (approval,) = ask(gateway, call("refund", DETAILS), deadline_s=7199)

    assert "1 h 59 min left" in reviewer.open(f"/jobs/{approval.job_id}").text
