"""Arguments that change under a reviewer's hands: only what they edited goes along, and nothing is undone silently."""

import json

import pytest

from gateway.domain.arguments import sha256_hex
from gateway.domain.json_text import LIMITS
from reviewer_ui.editing.carrying import carry
from reviewer_ui.editing.editor import Typed
from tests.factories import ask, call, change_approval, load_approval
from tests.ui.html_forms import Page, as_sent

SEEN = '{"order_id": "ord_1", "amount": 249.00}'
APPROVE = ("verdict", "approve")


def carried(seen, typed, now):
    return carry(Typed(json_text=typed), seen, now, (), LIMITS)


def test_secret_that_was_typed_is_not_told_when_its_edit_is_lost():
    made = carry(
        Typed(json_text='{"card": {"number": "4111"}}'), '{"card": {"number": "••••"}}', '{"card": 7}',
        ("/card/number",), LIMITS,
    )  # fmt: skip

    assert [(one.pointer, one.before, one.after) for one in made.lost] == [("/card", '"••••"', '{"number":"••••"}')]


@pytest.mark.parametrize(
    ("typed", "now", "merged", "lost"),
    [
        ('{"a": 1, "b": 3}', '{"a": 9, "b": 2}', '{"a": 9, "b": 3}', []),
        ('{"a": 5, "b": 2}', '{"a": 9, "b": 2}', '{"a": 9, "b": 2}', [("/a", "9", "5")]),
        ('{"a": 9, "b": 2}', '{"a": 9, "b": 2}', '{"a": 9, "b": 2}', []),
        ('{"a": 1}', '{"a": 9, "b": 2}', '{"a": 9}', []),
        ('{"a": 1}', '{"a": 1, "b": 7}', '{"a": 1, "b": 7}', [("/b", "7", None)]),
        ('{"a": 1, "b": 3}', '{"a": 1}', '{"a": 1}', [("/b", None, "3")]),
        ('{"a": 1, "b": 2, "c": null}', '{"a": 9, "b": 2}', '{"a": 9, "b": 2, "c": null}', []),
        ('{"a": 1, "b": 2}', '{"a": 1.0, "b": 2, "d": 4}', '{"a": 1.0, "b": 2, "d": 4}', []),
    ],
)
def test_three_ways(typed, now, merged, lost):
    made = carried('{"a": 1, "b": 2}', typed, now)

    assert json.loads(made.typed.json_text or "") == json.loads(merged)
    assert [(one.pointer, one.before, one.after) for one in made.lost] == lost


def test_lists_of_one_length_are_merged_item_by_item_and_others_as_a_whole():
    same = carried('{"x": [1, 2]}', '{"x": [1, 5]}', '{"x": [9, 2]}')
    grown = carried('{"x": [1, 2]}', '{"x": [1, 5]}', '{"x": [0, 1, 2]}')

    assert json.loads(same.typed.json_text or "") == {"x": [9, 5]}
    assert json.loads(grown.typed.json_text or "") == {"x": [0, 1, 2]}
    assert [one.pointer for one in grown.lost] == ["/x"]


def test_what_cannot_be_read_is_not_put_over_the_new_arguments():
    made = carried(SEEN, '{"amount": ', '{"order_id": "ord_2", "amount": 249.00}')

    assert (made.is_readable, made.typed, made.kept) == (False, Typed(), [])
    assert [one.pointer for one in made.came] == ["/order_id"]


@pytest.fixture
def approval(gateway):
    (made,) = ask(gateway, call("refund", SEEN))
    return made


def replace_details(gateway, approval, details):
    change_approval(gateway, approval.id, details=details, details_sha256=sha256_hex(details))


def test_refused_form_holds_the_new_arguments_with_the_readers_edits_and_says_which_are_whose(
    reviewer, gateway, approval
):
    page, action = reviewer.open(f"/approvals/{approval.id}"), f"/approvals/{approval.id}/decision"
    replace_details(gateway, approval, SEEN.replace("ord_1", "ord_2"))

    answer = reviewer.press(page, action, APPROVE, **{"/amount": "199.00"})

    again = Page(answer.text)
    assert answer.status_code == 409
    fields = again.form(action).fields
    assert (fields["/order_id"], fields["/amount"]) == ("ord_2", "199.00")
    assert 'not by you: /order_id from "ord_1"' in again.text
    assert "Your edits, kept in the form below: /amount from 249.00" in again.text
    reviewer.press(again, action, APPROVE)
    assert load_approval(gateway, approval.id).modified_details == '{"order_id": "ord_2", "amount": 199.00}'


def test_untouched_form_is_no_edit_of_the_new_arguments(reviewer, gateway, approval):
    page, action = reviewer.open(f"/approvals/{approval.id}"), f"/approvals/{approval.id}/decision"
    replace_details(gateway, approval, SEEN.replace("249.00", "310.00"))

    again = Page(reviewer.press(page, action, APPROVE).text)
    reviewer.press(again, action, APPROVE)

    row = load_approval(gateway, approval.id)
    assert (row.status, row.modified_details) == ("approved", None)


@pytest.mark.parametrize("button", [("view", "changes"), ("step", "remove:/order_id")])
def test_buttons_of_the_form_undo_nothing_either(reviewer, gateway, approval, button):
    page, path = reviewer.open(f"/approvals/{approval.id}"), f"/approvals/{approval.id}"
    replace_details(gateway, approval, SEEN.replace("249.00", "310.00"))

    fields = as_sent(page.form(f"{path}/decision").fields | dict([button]))
    again = Page(reviewer.post(f"{path}/edit", fields).text)
    reviewer.press(again, f"{path}/decision", APPROVE)

    assert "not by you: /amount from 249.00" in again.text
    assert load_approval(gateway, approval.id).modified_details is None


def test_edit_of_what_changed_too_is_shown_and_not_used(reviewer, gateway, approval):
    page, action = reviewer.open(f"/approvals/{approval.id}"), f"/approvals/{approval.id}/decision"
    replace_details(gateway, approval, SEEN.replace("249.00", "310.00"))

    again = Page(reviewer.press(page, action, APPROVE, **{"/amount": "199.00"}).text)

    assert again.form(action).fields["/amount"] == "310.00"
    assert "if they are still right: /amount from 310.00 → to 199.00" in again.text
