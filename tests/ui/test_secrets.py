"""A tool's secrets on the review page: masked, kept when they are not edited, revealed by a button, on record."""

import json

import pytest

from gateway.domain.approval import Approve
from gateway.domain.permission import Role
from gateway.usecases import accounts
from tests.factories import ask, call, decide, load_approval, load_events, make_person
from tests.fakes import RecordingTool
from tests.ui.html_forms import Page, as_sent

SECRETS = ["/card", "/pin", "/codes", "/buyer/key"]
DETAILS = '{"card": "PLANTED-1", "pin": 77.30,  "codes": {"PLANTED-2": 1}, "buyer": {"key": null}, "amount": 249.00}'
SEEN = '{"card": "••••", "pin": "••••",  "codes": "••••", "buyer": {"key": "••••"}, "amount": 249.00}'
APPROVE = ("verdict", "approve")
PASSWORD = "correct horse battery"


@pytest.fixture
def approval(gateway):
    gateway.tools.register(RecordingTool("pay", secret=SECRETS))
    (made,) = ask(gateway, call("pay", DETAILS))
    return made


def at(approval, action=""):
    return f"/approvals/{approval.id}{action}"


def send(browser, approval, action, button, view="form", **typed):
    page = browser.open(f"{at(approval)}?view={view}")
    fields = page.form(at(approval, "/decision")).fields | typed | dict([button])
    return browser.post(at(approval, action), as_sent(fields))


def modified(gateway, approval):
    return load_approval(gateway, approval.id).modified_details


@pytest.mark.parametrize("view", ["form", "json", "changes"])
def test_no_view_shows_a_secret(reviewer, approval, view):
    page = reviewer.open(f"{at(approval)}?view={view}")
    assert "PLANTED" not in page.html
    assert "77.30" not in page.html
    assert SEEN.replace("  ", " ") in page.text


@pytest.mark.parametrize("view", ["form", "json"])
def test_untouched_masks_are_no_edit(reviewer, gateway, approval, view):
    assert send(reviewer, approval, "/decision", APPROVE, view).status_code == 303
    assert modified(gateway, approval) is None


def test_edit_in_the_form_keeps_the_secrets_byte_for_byte(reviewer, gateway, approval):
    send(reviewer, approval, "/decision", APPROVE, **{"/amount": "199.00"})
    assert modified(gateway, approval) == DETAILS.replace("249.00", "199.00")


def test_edit_of_the_json_keeps_the_secrets_byte_for_byte(reviewer, gateway, approval):
    send(reviewer, approval, "/decision", APPROVE, "json", modified_details=SEEN.replace("249.00", "199.00"))
    assert modified(gateway, approval) == DETAILS.replace("249.00", "199.00")


def test_secret_typed_anew_is_taken_and_masked_afterwards(reviewer, gateway, approval):
    typed = SEEN.replace('"card": "••••"', '"card": "PLANTED-3"')
    send(reviewer, approval, "/decision", APPROVE, "json", modified_details=typed)
    assert modified(gateway, approval) == DETAILS.replace("PLANTED-1", "PLANTED-3")
    page = reviewer.open(at(approval))
    assert "PLANTED" not in page.html
    assert "/card from" in page.text
    assert "PLANTED" not in reviewer.get("/history").text
    assert "PLANTED" not in reviewer.get(f"/?decided={approval.id}").text


def test_what_changes_is_compared_without_the_secret(reviewer, approval):
    typed = SEEN.replace('"card": "••••"', '"card": "PLANTED-3"').replace("249.00", "199.00")
    page = send(reviewer, approval, "/edit", ("view", "changes"), "json", modified_details=typed).text
    # What somebody types stands where they typed it, and nowhere else.
    assert page.count("PLANTED") == 1
    assert "Approve with 2 edits" in page


@pytest.mark.parametrize(
    ("pointer", "control", "shown"),
    [
        ("/card", "/card", "PLANTED-1"),
        ("/pin", "/pin", "77.30"),
        ("/codes", "/codes", '{"PLANTED-2":1}'),
        ("/buyer/key", "/buyer/key:set", "null"),
    ],
)
def test_revealed_secret_is_in_its_control_and_the_page_says_who_saw_it(
    reviewer, gateway, approval, pointer, control, shown
):
    response = send(reviewer, approval, "/reveal", ("pointer", pointer), **{"/amount": "5"})
    page = Page(response.text)
    fields = page.form(at(approval, "/decision")).fields
    assert (fields[control], fields["/amount"]) == (shown, "5")
    assert "Secrets seen" in page.text
    facts = json.loads(load_events(gateway, approval.job_id)[-1].data)
    assert (facts["paths"], facts["by"], facts["channel"]) == ([pointer], reviewer.person.name, "page")
    again = reviewer.open(at(approval))
    assert "PLANTED" not in again.html
    assert f"Secrets seen {reviewer.person.name}" in again.text


def test_secret_of_a_decided_call_is_revealed_where_it_stands(reviewer, gateway, approval):
    decide(gateway, make_person(gateway), approval, Approve(DETAILS.replace("PLANTED-1", "PLANTED-3")))
    page = reviewer.open(at(approval))
    assert "PLANTED" not in page.html
    response = reviewer.press(page, at(approval, "/reveal"), ("pointer", "/card"))
    assert '"card": "PLANTED-1"' in Page(response.text).text
    assert '"card": "PLANTED-3"' in Page(response.text).text
    assert "PLANTED-2" not in response.text


def test_auditor_is_offered_no_reveal_and_gets_none(auditor, approval):
    page = auditor.open(at(approval))
    assert "PLANTED" not in page.html
    assert at(approval, "/reveal") not in page.html
    assert auditor.post(at(approval, "/reveal"), {"pointer": "/card"}).status_code == 403


def test_what_is_no_secret_is_not_logged_as_seen(reviewer, gateway, approval):
    before = len(load_events(gateway, approval.job_id))
    assert reviewer.post(at(approval, "/reveal"), {"pointer": "/amount"}).status_code == 422
    assert len(load_events(gateway, approval.job_id)) == before


@pytest.mark.parametrize("kept", ["/card", "/buyer", ""])
@pytest.mark.parametrize("view", ["form", "json", "changes"])
def test_form_that_keeps_a_secret_in_another_place_shows_nothing(reviewer, gateway, approval, kept, view):
    page = reviewer.open(at(approval))
    fields = page.form(at(approval, "/decision")).fields | {"/amount:set": "kept", "/amount": kept}
    seen = reviewer.post(at(approval, "/edit"), as_sent(fields | {"view": view}))
    decided = reviewer.post(at(approval, "/decision"), as_sent(fields | {"verdict": "approve"}))
    assert "PLANTED" not in seen.text
    assert decided.status_code == 422
    assert modified(gateway, approval) is None


def test_auditor_who_signs_in_again_has_no_form(stranger, reviewer, gateway, approval):
    accounts.create_person(gateway, email="a@example.com", name="A", role=Role.AUDITOR, password=PASSWORD)
    fields = reviewer.open(at(approval)).form(at(approval, "/decision")).fields
    fields |= {"/amount:set": "kept", "/amount": "/card", "view": "json", "email": "a@example.com"}
    page = stranger.post(at(approval, "/sign-in"), as_sent(fields | {"password": PASSWORD}))
    assert page.status_code == 200
    assert "PLANTED" not in page.text
    assert at(approval, "/edit") not in page.text


def test_secret_in_arguments_of_another_shape_is_hidden_as_a_whole(reviewer, gateway, approval):
    (wrapped,) = ask(gateway, call("pay", '{"buyer": [{"key": "PLANTED-4"}], "amount": 1}'))
    (unusable,) = ask(gateway, call("pay", '"{\\"card\\": \\"PLANTED-5\\"}"'))
    for view in ("form", "json", "changes"):
        assert "PLANTED" not in reviewer.open(f"{at(wrapped)}?view={view}").html
    assert "PLANTED" not in reviewer.open(at(unusable)).html
    assert send(reviewer, wrapped, "/decision", APPROVE).status_code == 303
    assert modified(gateway, wrapped) is None
