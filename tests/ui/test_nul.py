"""NUL in an address or a form: PostgreSQL refuses it, and people get the ordinary answer."""

import pytest

from gateway.domain.permission import Role
from gateway.usecases import accounts
from tests.factories import ask, call, load_approval, make_gateway


@pytest.fixture
def gateway(postgres_database, refund, write):
    return make_gateway(postgres_database, refund, write, undo_hold_s=30)


@pytest.mark.parametrize("field", ["q", "tool", "reviewer"])
def test_filter_finds_nothing(reviewer, field):
    assert "/approvals/" not in reviewer.open(f"/history?{field}=%00").text


@pytest.mark.parametrize("query", ["from=%00", "to=%00", "cursor=%00", "verdict=%00"])
def test_day_cursor_and_verdict_are_refused(reviewer, query):
    reviewer.open(f"/history?{query}", status=422)


def test_inbox_shows_no_decided_call(reviewer):
    assert "Inbox" in reviewer.open("/?decided=%00").text


@pytest.mark.parametrize("path", ["/jobs/%00", "/approvals/%00"])
def test_address_leads_nowhere(reviewer, path):
    reviewer.open(path, status=404)


@pytest.mark.parametrize(
    "path", ["/jobs/%00/cancel", "/approvals/%00/decision", "/approvals/%00/undo", "/approvals/%00/resolution"]
)
def test_form_leads_nowhere(reviewer, path):
    fields = {"verdict": "approve", "outcome": "ran", "note": "Seen in the shop"}
    assert reviewer.post(path, fields).status_code == 404


@pytest.mark.parametrize("shown", ["http://localhost/?q=a%00b", "http://[", "?q=%ff", "q"])
def test_address_that_the_browser_tells_of_hinders_no_decision(reviewer, gateway, shown):
    (approval,) = ask(gateway, call("write", "{}"))
    fields = {"verdict": "approve", "details_sha256": approval.details_sha256}

    response = reviewer.post(f"/approvals/{approval.id}/decision", fields, **{"HX-Current-URL": shown})

    assert response.status_code == 303
    assert reviewer.get(response.headers["location"]).status_code == 200
    assert load_approval(gateway, approval.id).status == "approved"


def test_sign_in_is_wrong(stranger, gateway):
    accounts.create_person(gateway, email="a@x", name="Rita", role=Role.REVIEWER, password="correct horse battery")

    response = stranger.post("/sign-in", {"email": "a\0@x", "password": "correct horse battery", "next": "/"})

    assert response.status_code == 401


@pytest.mark.parametrize("field", ["note", "response", "modified_details", "details_sha256", "verdict"])
def test_decision_is_refused_and_nothing_is_replaced_in_what_was_typed(reviewer, gateway, field):
    [approval] = ask(gateway, call("refund", '{"order_id": "one", "amount": 1}'))
    verdict = "respond" if field == "response" else "approve"
    fields = {"verdict": verdict, "details_sha256": approval.details_sha256, field: '{"order_id": "\0", "amount": 1}'}

    response = reviewer.post(f"/approvals/{approval.id}/decision", fields)

    assert 400 <= response.status_code < 500
    assert load_approval(gateway, approval.id).status == "pending"
