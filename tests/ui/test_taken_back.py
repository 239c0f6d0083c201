"""An approval with edits that was taken back: whoever did so finds the edits in the form again."""

import pytest

from gateway.domain.approval import Approve
from gateway.domain.json_text import Limits
from gateway.store import decisions
from gateway.usecases import approvals
from reviewer_ui.taken_back import taken_back
from tests.factories import ask, call, decide, load_approval, make_person
from tests.ui.editing_form import APPROVE, at, fields_of

ASKED = '{"order_id": "one", "amount": 249.00}'
EDITED = '{"order_id": "one", "amount": 199.00}'
EDIT = Approve(EDITED)


@pytest.fixture
def refunded(gateway, refund):
    (made,) = ask(gateway, call("refund", ASKED))
    return made


def take_back(gateway, person, approval, choice=EDIT, **more):
    decide(gateway, person, approval, choice, channel="page", **more)
    approvals.undo(gateway, person, approval.id, channel="page")


def test_edits_and_note_are_in_the_form_again_and_nothing_is_approved(reviewer, gateway, refunded):
    take_back(gateway, reviewer.person, refunded, note="Shipping stays")

    page = reviewer.open(at(refunded))

    fields = fields_of(page, refunded)
    assert (fields["/amount"], fields["note"]) == ("199.00", "Shipping stays")
    assert "You took this back." in page.text
    assert "Approve with 1 edit" in page.text
    assert load_approval(gateway, refunded.id).status == "pending"
    assert load_approval(gateway, refunded.id).modified_details is None


def test_mended_edits_are_approved_with_the_same_literals(reviewer, gateway, refunded):
    take_back(gateway, reviewer.person, refunded)

    reviewer.press(reviewer.open(at(refunded)), at(refunded, "/decision"), APPROVE, **{"/amount": "19.90"})

    assert load_approval(gateway, refunded.id).modified_details == ASKED.replace("249.00", "19.90")


def test_edited_secret_is_hidden_again_and_to_be_written_again(reviewer, gateway, refund):
    refund.define(name="refund", schema={"type": "object"}, secret=("/card",))
    (made,) = ask(gateway, call("refund", '{"order_id": "one", "amount": 249.00, "card": "4111 1111"}'))
    edited = Approve('{"order_id": "one", "amount": 199.00, "card": "5500 0000"}')
    take_back(gateway, reviewer.person, made, edited)

    page = reviewer.open(at(made))

    assert fields_of(page, made)["/amount"] == "199.00"
    assert "5500" not in page.html
    assert "4111" not in page.html
    assert "but for those of secrets" in page.text
    reviewer.press(page, at(made, "/decision"), APPROVE)
    assert load_approval(gateway, made.id).modified_details == (
        '{"order_id": "one", "amount": 199.00, "card": "4111 1111"}'
    )


def test_one_may_begin_with_what_was_asked(reviewer, gateway, refunded):
    take_back(gateway, reviewer.person, refunded)
    page = reviewer.open(at(refunded))
    [again] = [link for link in page.links if "edits=none" in link]

    fresh = reviewer.open(again)

    assert fields_of(fresh, refunded)["/amount"] == "249.00"
    assert "You took this back." not in fresh.text


def test_nobody_elses_form_is_filled(open_browser, reviewer, gateway, refunded):
    take_back(gateway, reviewer.person, refunded)

    page = open_browser().open(at(refunded))

    assert fields_of(page, refunded)["/amount"] == "249.00"
    assert "You took this back." not in page.text


def test_what_somebody_else_approved_is_not_taken_for_ones_own(reviewer, gateway, refunded):
    decide(gateway, make_person(gateway), refunded, Approve(EDITED), channel="page")
    approvals.undo(gateway, reviewer.person, refunded.id, channel="page")

    assert fields_of(reviewer.open(at(refunded)), refunded)["/amount"] == "249.00"


def test_an_approval_without_edits_leaves_the_form_as_it_is(reviewer, gateway, refunded):
    take_back(gateway, reviewer.person, refunded, Approve())

    page = reviewer.open(at(refunded))

    assert fields_of(page, refunded)["/amount"] == "249.00"
    assert "You took this back." not in page.text


def test_edits_beyond_todays_limits_are_left_out(reviewer, gateway, refunded):
    take_back(gateway, reviewer.person, refunded)
    with gateway.database.read() as session:
        decided = decisions.of_approval(session, refunded.id)

    def found(limits):
        return taken_back(refunded, decided, reviewer.person, limits, view="form")

    assert found(Limits(max_bytes=len(EDITED) - 1)) is None
    assert found(Limits()) is not None
