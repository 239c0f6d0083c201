"""A program's own request on the page: what was said beside it, what an edit becomes, and that nothing runs here."""

import json

import pytest

from gateway.domain.approval import Approve
from gateway.usecases.requests import ActionRequest, file_request
from tests.factories import decide, load_approval, make_app
from tests.ui.editing_form import APPROVE, at
from tests.ui.html_forms import Page

STEPS = [{"type": "thought", "content": "It\u202e is lost"}, {"type": "tool", "content": {"n": 1}}]
TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture
def asked(gateway):
    request = ActionRequest(
        origin="cheqpoint", action="process_refund", summary="Refund a lost order", justification="The parcel is lost",
        details='{"order_id": "one", "amount": 249.00}',
        sent_along=json.dumps({"trace": {"steps": STEPS}, "agentName": "Helper", "metadata": {"token": TOKEN}}),
    )  # fmt: skip
    return file_request(gateway, make_app("shop"), request).approval


def test_page_says_who_acts_on_the_decision_and_what_was_said_beside_it(reviewer, asked):
    page = reviewer.open(at(asked))

    for words in (
        "shop waits for this decision, and acts on it itself: nothing of it runs here.",
        "What the agent sent along model text, not verified",
        "thought", "U+202E", "is lost", '{"n":1}', "agentName", "Helper", "Refund a lost order", "The parcel is lost",
    ):  # fmt: skip
        assert words in page.text, words
    assert TOKEN not in page.html


def test_page_says_what_becomes_of_an_edit_before_somebody_makes_one(reviewer, asked):
    page = reviewer.open(at(asked))

    assert "LangChain, LangGraph and CrewAI hand on the words alone" in page.text
    assert page.html.index("hand on the words alone") < page.html.index('name="/amount"')


def test_nobody_answers_in_its_place(reviewer, asked):
    page = reviewer.open(at(asked))
    assert "Answer in the tool" not in page.text
    assert 'value="respond"' not in page.html

    fields = page.form(at(asked, "/decision")).fields
    answer = reviewer.post(at(asked, "/decision"), fields | {"verdict": "respond", "response": "Done"})

    assert (answer.status_code, load_approval_status(reviewer, asked)) == (422, "Pending")


def load_approval_status(reviewer, asked):
    return next(word for word in ("Pending", "Approved", "Rejected") if f">{word}<" in reviewer.get(at(asked)).text)


def test_it_is_edited_undone_and_approved_like_every_other_call(reviewer, gateway, asked):
    page = reviewer.open(at(asked))
    reviewer.press(page, at(asked, "/decision"), APPROVE, **{"/amount": "199.00"})
    held = reviewer.open(at(asked))
    assert "It is released in" in held.text
    reviewer.press(held, at(asked, "/undo"))
    assert load_approval(gateway, asked.id).status == "pending"

    again = reviewer.open(at(asked))
    assert "Your edits are in the form again" in again.text
    reviewer.press(again, at(asked, "/decision"), APPROVE)

    assert load_approval(gateway, asked.id).modified_details == '{"order_id": "one", "amount": 199.00}'


def test_afterwards_the_page_and_the_history_say_that_the_app_was_left_to_it(reviewer, gateway, asked):
    decide(gateway, reviewer.person, asked, Approve())

    assert "shop was told, and acts on it itself." in reviewer.open(at(asked)).text
    assert 'hx-trigger="inbox from:body" hx-select="#pane"' not in reviewer.get(at(asked)).text
    assert "left to the app" in reviewer.open("/history").text


def test_what_was_said_beside_it_is_not_shown_as_markup(reviewer, gateway):
    hostile = '<img src=x onerror="alert(1)">'
    request = ActionRequest(
        origin="cheqpoint", action="x", summary="x", details="{}", sent_along=json.dumps({hostile: hostile})
    )
    made = file_request(gateway, make_app(), request).approval

    assert hostile in Page(reviewer.get(at(made)).text).text
    assert "<img" not in reviewer.get(at(made)).text
