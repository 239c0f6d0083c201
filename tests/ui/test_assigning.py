"""Taking a call, giving it to somebody and giving it back on the pages, without JavaScript."""

import re

import pytest

from gateway.domain.approval import Reject
from gateway.usecases.assigning import assign
from reviewer_ui.assignment import initials
from tests.factories import ask, call, change_approval, decide, load_approval, make_person

TAKE, GIVE_BACK = ("assignee", "me"), ("assignee", "none")


@pytest.fixture
def approval(gateway):
    (made,) = ask(gateway, call("refund", '{"order_id": "ord_1", "amount": 249.00}'))
    return made


def test_one_button_takes_it_and_gives_it_back(reviewer, gateway, approval):
    path, action = f"/approvals/{approval.id}", f"/approvals/{approval.id}/assignment"

    reviewer.press(reviewer.open(path), action, TAKE)
    assert load_approval(gateway, approval.id).assignee == reviewer.person.id
    page = reviewer.open(path)
    assert "took this" not in page.text
    assert "Withyou" in page.text.replace(" ", "")
    reviewer.press(page, action, GIVE_BACK)

    assert load_approval(gateway, approval.id).assignee is None


def test_it_is_given_to_somebody_who_may_decide(reviewer, auditor, gateway, approval):
    tom = make_person(gateway, email="tom@example.com")

    page = reviewer.open(f"/approvals/{approval.id}")
    assert "tom@example.com" in page.text
    assert auditor.person.email not in page.text
    answer = reviewer.post(f"/approvals/{approval.id}/assignment", {"assignee": tom.id})

    assert answer.status_code == 303
    assert load_approval(gateway, approval.id).assignee == tom.id


def test_call_that_somebody_else_has_says_who_took_it_or_was_given_it(reviewer, gateway, approval):
    rita, path = make_person(gateway, email="rita@example.com"), f"/approvals/{approval.id}"
    assign(gateway, rita, approval.id, "me")
    assert re.search(r"rita took this \d s ago", reviewer.open(path).text)
    assert "rita took this" in reviewer.open(f"{path}/standing?seen=1").text

    assign(gateway, rita, approval.id, make_person(gateway, email="tom@example.com").id)

    assert re.search(r"Given to tom \d s ago", reviewer.open(path).text)


def test_row_says_whose_it_is_in_words_and_in_short(reviewer, gateway, approval):
    (other,) = ask(gateway, call("write"))
    assign(gateway, make_person(gateway, email="rita@example.com"), approval.id, "me")
    assign(gateway, reviewer.person, other.id, "me")

    page = reviewer.open("/")

    assert "with rita RI" in page.text.replace("ritaRI", "rita RI")
    assert "with you" in page.text
    assert "Mine 1" in page.text


@pytest.mark.parametrize("words", ["mine", "is:mine", "assignee:me"])
def test_mine_are_the_readers_own(reviewer, gateway, approval, words):
    (other,) = ask(gateway, call("write"))
    assign(gateway, reviewer.person, other.id, "me")

    for path in ("/", "/inbox/rows"):
        links = reviewer.open(f"{path}?q={words}").links
        assert [link.partition("?")[0] for link in links if link.startswith("/approvals/")] == [
            f"/approvals/{other.id}"
        ]


def test_after_a_decision_the_next_of_mine_follows(reviewer, gateway, approval):
    first, _, last = (ask(gateway, call("write"))[0] for _ in range(3))
    for one in (first, last):
        assign(gateway, reviewer.person, one.id, "me")
    page = reviewer.open(f"/approvals/{first.id}?q=mine")

    answer = reviewer.press(page, f"/approvals/{first.id}/decision?q=mine", ("verdict", "reject"))

    assert answer.headers["location"].startswith(f"/approvals/{last.id}?q=mine")


def test_refusal_is_shown_on_the_page(reviewer, gateway, approval):
    decide(gateway, make_person(gateway), approval, Reject())

    answer = reviewer.post(f"/approvals/{approval.id}/assignment", {"assignee": "me"})

    assert answer.status_code == 409
    assert "already decided" in answer.text


@pytest.mark.parametrize("whom", ["", "x", "per_\0"])
def test_nobody_we_know_is_refused(reviewer, gateway, approval, whom):
    assert reviewer.post(f"/approvals/{approval.id}/assignment", {"assignee": whom}).status_code == 422
    assert load_approval(gateway, approval.id).assignee is None


def test_auditor_has_no_button_and_no_right(auditor, gateway, approval):
    forms = auditor.open(f"/approvals/{approval.id}").forms
    assert not [form.action for form in forms if "assignment" in form.action]
    assert auditor.post(f"/approvals/{approval.id}/assignment", {"assignee": "me"}).status_code == 403


def test_person_whose_row_is_gone_is_named_by_their_id(reviewer, gateway, approval):
    change_approval(gateway, approval.id, assignee="per_gone", assigned_at=approval.created_at)

    assert reviewer.open(f"/approvals/{approval.id}").text.count("per_gone") >= 1
    assert reviewer.open("/").text


@pytest.mark.parametrize(("name", "short"), [("Rita Meyer", "RM"), ("rita", "RI"), ("A", "A"), ("a b c", "AC")])
def test_initials(name, short):
    assert initials(name) == short
