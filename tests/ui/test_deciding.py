"""The review page's forms, sent as a browser without JavaScript sends them."""

import pytest

from gateway.domain.approval import Reject
from gateway.domain.arguments import sha256_hex
from gateway.tools.base import InDoubt
from tests.factories import (
    ask,
    call,
    change_approval,
    decide,
    load_approval,
    load_decisions,
    load_execution,
    load_job,
    make_person,
    run,
    tool_results,
)
from tests.fakes import RecordingTool
from tests.ui.conftest import REFUND

APPROVE, REJECT, RESPOND = ("verdict", "approve"), ("verdict", "reject"), ("verdict", "respond")
DETAILS = '{"order_id": "ord_1", "amount": 249.00}'


@pytest.fixture
def approval(gateway):
    (made,) = ask(gateway, call("refund", DETAILS))
    return made


def review(approval):
    return f"/approvals/{approval.id}"


def press(browser, approval, button, **typed):
    view = "?view=json" if "modified_details" in typed else ""
    return browser.press(browser.open(review(approval) + view), f"{review(approval)}/decision", button, **typed)


@pytest.mark.parametrize(
    "details",
    [
        DETAILS,
        '\n\n{"order_id": "ord_1",\n\t"amount": 1E2}\n',
        '{\r\n"order_id": "a\\r\\nb", "amount": 1.10\r\n}',
        '{"order_id": "\u202e\u200b\U000e0041</textarea>&amp;\\u0041", "amount": 12345678901234567890}',
        '{"order_id": "ord_1", "amount": 900, "not in the schema": "\u05d0"}',
    ],
)
def test_unedited_approval_keeps_the_exact_bytes(reviewer, gateway, details):
    (approval,) = ask(gateway, call("refund", details))

    response = press(reviewer, approval, APPROVE)

    assert (response.status_code, response.headers["location"]) == (303, f"/?decided={approval.id}")
    decided = load_approval(gateway, approval.id)
    assert (decided.status, decided.details, decided.modified_details) == ("approved", details, None)
    assert decided.effective_sha256 == sha256_hex(details)


def test_approval_on_a_page_is_held_and_can_be_undone(reviewer, gateway, refund, approval):
    press(reviewer, approval, APPROVE)
    run(gateway, approval)
    held = reviewer.open(review(approval))

    assert refund.calls == []
    assert "Pending" in held.text
    response = reviewer.press(held, f"{review(approval)}/undo")

    assert (response.status_code, response.headers["location"]) == (303, review(approval))
    assert load_approval(gateway, approval.id).status == "pending"
    assert [row.channel for row in load_decisions(gateway, approval.id)] == ["page", "page"]


def test_undo_after_the_release_is_refused_on_the_page(reviewer, gateway, approval):
    press(reviewer, approval, APPROVE)
    held = reviewer.open(review(approval))
    change_approval(gateway, approval.id, release_at=approval.created_at)

    response = reviewer.press(held, f"{review(approval)}/undo")

    assert response.status_code == 409
    assert "already been released" in response.text


def test_edit_runs_in_the_place_of_what_was_asked(reviewer, gateway, refund, approval):
    edited = '{"order_id": "ord_1",\n "amount": 199.00}'

    press(reviewer, approval, APPROVE, modified_details=edited)
    change_approval(gateway, approval.id, release_at=approval.created_at)
    run(gateway, approval)

    assert refund.received == [edited]


def test_edit_that_changes_nothing_is_none(reviewer, gateway, approval):
    press(reviewer, approval, APPROVE, modified_details='{"amount":249.00,\n"order_id":"ord\\u005f1"}')

    assert load_approval(gateway, approval.id).modified_details is None


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        ('{"amount": }', "line 1, column 12"),
        ("", "Not valid JSON"),
        ("[1]", "A JSON object is needed"),
        ('{"order_id": 5, "amount": 900}', "/amount this value is greater than the maximum of 500"),
        ("{}", "required"),
        ('{"order_id": "a", "order_id": "b", "amount": 1}', "duplicate key"),
    ],
)
def test_edit_that_cannot_be_used_is_refused_beside_the_field_with_everything_kept(
    reviewer, gateway, approval, edited, words
):
    typed = {"modified_details": edited, "note": "first\nsecond <b>", "response": "an answer"}

    response = press(reviewer, approval, APPROVE, **typed)

    assert response.status_code == 422
    page = type(reviewer.open("/"))(response.text)
    assert words in page.text
    assert {name: page.form(f"{review(approval)}/decision").fields[name] for name in typed} == typed
    assert "Approve with " in page.text
    assert load_approval(gateway, approval.id).status == "pending"


def test_rejection_tells_the_model_the_note(reviewer, gateway, approval):
    response = press(reviewer, approval, REJECT, note="Wrong customer.\nLook again.", modified_details="{half an edit")

    assert response.status_code == 303
    assert tool_results(gateway, approval.job_id) == ["Action rejected: Wrong customer.\nLook again."]


def test_note_is_asked_for_where_the_tool_needs_one(reviewer, gateway, application):
    gateway.tools.register(RecordingTool("pay", note_required=True))
    (approval,) = ask(gateway, call("pay"))

    response = press(reviewer, approval, REJECT, note="  \n ")

    assert response.status_code == 422
    assert "need a note" in response.text
    assert press(reviewer, approval, REJECT, note="Because").status_code == 303


def test_note_that_is_too_long_is_refused_and_kept(reviewer, gateway, approval):
    note = "n" * 4001

    response = press(reviewer, approval, REJECT, note=note)

    assert response.status_code == 422
    assert note in response.text
    assert "4000 are possible" in response.text


def test_answer_in_the_tools_place_reaches_the_model(reviewer, gateway, refund, approval):
    response = press(reviewer, approval, RESPOND, response="Refunds are closed today.\n")

    assert response.status_code == 303
    assert tool_results(gateway, approval.job_id) == ["Refunds are closed today.\n"]
    assert refund.calls == []


def test_empty_answer_is_refused(reviewer, gateway, approval):
    response = press(reviewer, approval, RESPOND, note="kept")

    assert response.status_code == 422
    assert "Write the answer" in response.text
    assert "kept" in response.text


def test_second_decider_is_told_who_was_first_and_keeps_the_note(reviewer, gateway, approval):
    page = reviewer.open(review(approval))
    decide(gateway, make_person(gateway, email="first@example.com"), approval, Reject())

    response = reviewer.press(page, f"{review(approval)}/decision", APPROVE, note="my careful note")

    assert response.status_code == 409
    assert "first already decided this: rejected." in response.text
    assert "my careful note" in response.text
    assert [row.verdict for row in load_decisions(gateway, approval.id)] == ["reject"]


def test_same_decision_sent_twice_is_one(reviewer, gateway, approval):
    page = reviewer.open(review(approval))

    answers = [reviewer.press(page, f"{review(approval)}/decision", APPROVE).status_code for _ in range(2)]

    assert answers == [303, 303]
    assert len(load_decisions(gateway, approval.id)) == 1


def test_decision_about_other_arguments_is_refused_with_what_changed(reviewer, gateway, approval):
    page = reviewer.open(review(approval))
    other = '{"order_id": "ord_1", "amount": 250.00}'
    change_approval(gateway, approval.id, details=other, details_sha256=sha256_hex(other))

    response = reviewer.press(page, f"{review(approval)}/decision", APPROVE, note="kept")

    shown = type(page)(response.text)
    assert response.status_code == 409
    assert "/amount from 249.00 → to 250.00" in shown.text
    assert shown.form(f"{review(approval)}/decision").fields["note"] == "kept"
    assert load_approval(gateway, approval.id).status == "pending"


def test_changed_tool_is_shown_once_and_then_decided(reviewer, gateway, refund, approval):
    page = reviewer.open(review(approval))
    refund.define(name="refund", schema={**REFUND, "required": ["order_id", "amount", "reason"]})

    response = reviewer.press(page, f"{review(approval)}/decision", APPROVE, note="kept")

    shown = type(page)(response.text)
    assert response.status_code == 409
    assert 'added: "reason"' in shown.text
    assert shown.form(f"{review(approval)}/decision").fields["note"] == "kept"
    assert press(reviewer, approval, APPROVE).status_code == 303


def test_late_decision_is_told_that_the_time_has_passed(reviewer, gateway, approval):
    page = reviewer.open(review(approval))
    change_approval(gateway, approval.id, expires_at=approval.created_at)

    response = reviewer.press(page, f"{review(approval)}/decision", APPROVE, note="kept")

    assert response.status_code == 410
    assert "The time for deciding has passed." in response.text
    assert "kept" in response.text
    assert load_approval(gateway, approval.id).status == "expired"


def test_auditors_decision_is_refused_as_a_page(auditor, gateway, approval):
    fields = {"verdict": "approve", "details_sha256": approval.details_sha256}
    for action in ["decision", "undo", "resolution"]:
        response = auditor.post(f"{review(approval)}/{action}", fields)
        assert response.status_code == 403
        assert "Only a reviewer or an admin may do this." in response.text
    assert load_decisions(gateway, approval.id) == []


def test_own_request_is_refused_as_a_page(open_browser, gateway):
    browser = open_browser(email="asker@example.com")
    (approval,) = ask(gateway, call("write"), on_behalf_of="asker@example.com")

    response = browser.post(
        f"{review(approval)}/decision", {"verdict": "approve", "details_sha256": approval.details_sha256}
    )

    assert response.status_code == 403
    assert load_approval(gateway, approval.id).status == "pending"


@pytest.mark.parametrize("fields", [{}, {"verdict": "undo"}, {"verdict": ""}, {"verdict": ["approve", "reject"]}])
def test_form_without_one_verdict_decides_nothing(reviewer, gateway, approval, fields):
    response = reviewer.post(f"{review(approval)}/decision", {"details_sha256": approval.details_sha256} | fields)

    assert response.status_code == 422
    assert load_approval(gateway, approval.id).status == "pending"


@pytest.mark.parametrize("action", ["decision", "undo", "resolution"])
def test_address_of_a_form_opens_the_review(reviewer, approval, action):
    response = reviewer.get(f"{review(approval)}/{action}")

    assert (response.status_code, response.headers["location"]) == (303, review(approval))


@pytest.fixture
def doubtful(gateway, refund, approval):
    refund.outcome = InDoubt("The connection broke.")
    decide(gateway, make_person(gateway), approval)
    run(gateway, approval)
    return approval


def execution_status(gateway, approval):
    execution = load_execution(gateway, approval.id)
    assert execution
    return execution.status


@pytest.mark.parametrize(
    ("outcome", "result", "status", "told"),
    [
        ("ran", "re_81", "succeeded", ["re_81"]),
        ("ran", "", "succeeded", ["The call ran, but its result was not recorded."]),
        ("did_not_run", "", "failed", ["Error: the call did not run. seen"]),
        ("run_again", "", "failed", []),
    ],
)
def test_doubt_is_settled_by_what_a_person_found(reviewer, gateway, doubtful, outcome, result, status, told):
    page = reviewer.open(review(doubtful))
    assert "It may have run. Check, then record" in page.text
    assert "The connection broke." in page.text

    response = reviewer.press(page, f"{review(doubtful)}/resolution", ("outcome", outcome), note="seen", result=result)

    assert (response.status_code, response.headers["location"]) == (303, review(doubtful))
    assert execution_status(gateway, doubtful) == status
    assert tool_results(gateway, doubtful.job_id) == told
    assert load_approval(gateway, doubtful.id).attempt == (2 if outcome == "run_again" else 1)


def test_doubt_needs_a_note_and_keeps_the_result(reviewer, gateway, doubtful):
    page = reviewer.open(review(doubtful))

    response = reviewer.press(page, f"{review(doubtful)}/resolution", ("outcome", "ran"), result="re_81")

    assert response.status_code == 422
    assert type(page)(response.text).form(f"{review(doubtful)}/resolution").fields["result"] == "re_81"
    assert execution_status(gateway, doubtful) == "unknown"


def test_doubt_that_somebody_else_settled_is_refused_on_the_page(reviewer, gateway, doubtful):
    page = reviewer.open(review(doubtful))
    fields = {"note": "seen"}
    reviewer.press(page, f"{review(doubtful)}/resolution", ("outcome", "ran"), **fields)

    response = reviewer.press(page, f"{review(doubtful)}/resolution", ("outcome", "did_not_run"), **fields)

    assert response.status_code == 409
    assert "Only a call whose outcome is in doubt" in response.text
    assert load_job(gateway, doubtful.job_id).status == "running"


def test_undo_of_what_is_no_held_approval_says_what_is_true(reviewer, gateway):
    waiting, rejected, released = (ask(gateway, call("write"))[0] for _ in range(3))
    decide(gateway, reviewer.person, rejected, Reject())
    decide(gateway, reviewer.person, released)

    for approval, said in (
        (waiting, "there is nothing to undo"),
        (rejected, "this call is rejected"),
        (released, "has already been released"),
    ):
        answer = reviewer.post(f"/approvals/{approval.id}/undo", {})
        assert answer.status_code == 409
        assert said in answer.text
