"""Editing on the review page: a form made of the schema, JSON and what changed, without JavaScript."""

import html
import json
import re

import pytest

from gateway.domain.arguments import sha256_hex
from reviewer_ui.editing.control_name import name_of
from reviewer_ui.editing.draft import MAX_NODES
from tests.factories import ask, call, change_approval, decide, load_approval, make_person
from tests.fakes import RecordingTool
from tests.ui.editing_form import APPROVE, approved, at, fields_of, send
from tests.ui.html_forms import Page

SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "readOnly": True},
        "amount": {"type": "number", "maximum": 500, "description": "At most 500"},
        "currency": {"enum": ["EUR", "USD"]},
        "notify": {"type": "boolean"},
        "reason": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"sku": {"type": "string"}, "price": {"type": "number"}}},
        },
        "address": {"$ref": "#/$defs/address"},
        "when": {"type": "string", "format": "date"},
    },
    "required": ["order_id", "amount"],
    "additionalProperties": {"type": "string"},
    "$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
DETAILS = (
    '{"order_id": "ord_1",  "amount": 249.00, "currency": "EUR", "notify": true, "reason": null,\n'
    ' "tags": ["a", "b"], "items": [{"sku": "EM-220", "price": 1.10}], "address": {"city": "\\u004eimes"}}'
)


@pytest.fixture
def approval(gateway):
    gateway.tools.register(RecordingTool("pay", schema=SCHEMA))
    (made,) = ask(gateway, call("pay", DETAILS))
    return made


def test_untouched_form_is_no_edit(reviewer, gateway, approval):
    page = reviewer.open(at(approval))

    assert approved(reviewer, gateway, page, approval) is None
    assert load_approval(gateway, approval.id).effective_sha256 == sha256_hex(DETAILS)


@pytest.mark.parametrize(
    ("name", "typed", "old", "new"),
    [
        ("/amount", "199.00", "249.00", "199.00"),
        ("/amount", " 2.490E2 ", "249.00", "2.490E2"),
        ("/currency", '"USD"', '"EUR"', '"USD"'),
        ("/notify", None, "true", "false"),
        ("/tags/1", "c\nd", '"b"', '"c\\nd"'),
        ("/items/0/price", "1.1", "1.10", "1.1"),
        ("/address/city", "Lyon", '"\\u004eimes"', '"Lyon"'),
    ],
)
def test_edit_replaces_one_literal_and_keeps_every_other_character(reviewer, gateway, approval, name, typed, old, new):
    page = reviewer.open(at(approval))

    assert approved(reviewer, gateway, page, approval, **{name: typed}) == DETAILS.replace(old, new)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("add:/tags", lambda args: args["tags"].append("")),
        ("remove:/tags/0", lambda args: args["tags"].pop(0)),
        ("remove:/currency", lambda args: args.pop("currency")),
        ("add:/when", lambda args: args.update(when="")),
        ("value:/reason", lambda args: args.update(reason="")),
        ("add:/items", lambda args: args["items"].append({})),
        ("add:/items/0/more", None),
        ("remove:/nothing", None),
        ("remove:", None),
        ("revert:/nothing", None),
        ("add:x", None),
        ("value:/tags/9", None),
        ("fly:/tags", None),
        ("remove:/tags/x", None),
        ("add:/amount", None),
    ],
)
def test_members_are_added_and_taken_out_by_buttons(reviewer, gateway, approval, step, change):
    page = reviewer.open(at(approval))

    answer = send(reviewer, page, approval, "/edit", ("step", step))

    if change is None:
        assert answer.status_code in {200, 422}
        assert load_approval(gateway, approval.id).status == "pending"
        return
    assert answer.status_code == 200
    expected = json.loads(DETAILS)
    change(expected)
    with_schema = {"when": "2026-11-27"} if "when" in expected else {}
    shown = Page(answer.text)
    edited = approved(reviewer, gateway, shown, approval, **{f"/{name}": text for name, text in with_schema.items()})
    assert json.loads(edited) == expected | with_schema


def test_null_missing_and_empty_are_three_things(reviewer, gateway, approval):
    page = Page(send(reviewer, reviewer.open(at(approval)), approval, "/edit", ("step", "value:/reason")).text)
    assert fields_of(page, approval)["/reason"] == ""
    assert "Approve with 1 edit" in page.text

    page = Page(send(reviewer, page, approval, "/edit", ("step", "null:/reason")).text)
    assert "Approve as asked" in page.text

    page = Page(send(reviewer, page, approval, "/edit", ("step", "remove:/reason")).text)
    assert "Approve with 1 edit" in page.text
    assert "reason" not in json.loads(approved(reviewer, gateway, page, approval))


def test_argument_of_another_name_is_added_where_the_schema_allows_it(reviewer, gateway, approval):
    page = reviewer.open(at(approval))
    page = Page(send(reviewer, page, approval, "/edit", ("step", "add-key:"), **{":key": "a/b:c ~\u202e"}).text)
    name = name_of(("a/b:c ~\u202e",))
    assert name == "/a~1b~x3a;c ~0~x202e;"

    edited = approved(reviewer, gateway, page, approval, **{name: "x"})

    assert json.loads(edited)["a/b:c ~\u202e"] == "x"


def test_number_that_is_none_is_refused_beside_its_field_with_everything_kept(reviewer, gateway, approval):
    typed = {"/amount": "1,50", "/tags/0": "changed", "note": "kept"}

    response = send(reviewer, reviewer.open(at(approval)), approval, "/decision", APPROVE, **typed)

    page = Page(response.text)
    assert response.status_code == 422
    assert typed.items() <= fields_of(page, approval).items()
    (said,) = [given for tag, given in page.tags if tag == "input" and given.get("name") == "/amount"]
    assert said["aria-invalid"] == "true"
    assert f'id="{said["aria-describedby"]}">Write a decimal point: 1.50.' in page.html
    assert load_approval(gateway, approval.id).status == "pending"


def test_edit_that_is_too_large_is_refused_with_everything_kept(reviewer, approval):
    page = reviewer.open(at(approval))

    response = send(reviewer, page, approval, "/decision", APPROVE, **{"/address/city": "x" * 140_000, "/amount": "1"})

    answer = Page(response.text)
    assert response.status_code == 422
    assert "Too large" in answer.text
    assert fields_of(answer, approval)["/address/city"] == "x" * 140_000
    assert fields_of(answer, approval)["/amount"] == "1"


def test_edit_beyond_the_schema_is_refused_beside_its_field(reviewer, gateway, approval):
    response = send(reviewer, reviewer.open(at(approval)), approval, "/decision", APPROVE, **{"/amount": "900"})

    assert response.status_code == 422
    assert "greater than the maximum of 500" in Page(response.text).text
    assert 'value="900"' in response.text


def test_views_hold_the_same_edit(reviewer, gateway, approval):
    page = reviewer.open(at(approval))
    page = Page(send(reviewer, page, approval, "/edit", ("view", "json"), **{"/amount": "199.00"}).text)
    assert fields_of(page, approval)["modified_details"] == DETAILS.replace("249.00", "199.00")
    assert "Approve with 1 edit" in page.text
    assert "Will run with /amount 199.00 instead of 249.00" in page.text

    two = fields_of(page, approval)["modified_details"].replace('"EUR"', "null")
    page = Page(send(reviewer, page, approval, "/edit", ("view", "changes"), modified_details=two).text)
    assert "/amount changed from 249.00 (number) → to 199.00 (number)" in page.text
    assert '/currency changed from "EUR" (string) → to null (null)' in page.text

    page = Page(send(reviewer, page, approval, "/edit", ("view", "form")).text)
    assert fields_of(page, approval)["/amount"] == "199.00"
    assert "Approve with 2 edits" in page.text


def test_code_is_read_line_by_line(reviewer, gateway):
    code = "import os\n\nif True:\n    print('<b>')\n"
    (made,) = ask(gateway, call("write", json.dumps({"code": code})))

    shown = reviewer.open(at(made)).html.partition('<pre class="code numbered"')[2].partition("</pre>")[0]

    lines = [
        html.unescape(re.sub("<[^>]*>", "", line)) for line in shown.partition(">")[2].split('<span class="code-line">')
    ]
    assert "".join(lines) == code


def test_changes_of_code_are_lines(reviewer, gateway):
    (made,) = ask(gateway, call("write", json.dumps({"code": "import os\nprint(1)\nprint(2)\n"})))
    page = reviewer.open(at(made))
    assert '<span class="hl-kn">import</span>' in page.html

    code = "import os\nprint(1)\nprint(3)\n"
    page = Page(send(reviewer, page, made, "/edit", ("view", "changes"), **{"/code": code}).text)

    assert "removed: print(2)" in page.text
    assert "added: print(3)" in page.text


def test_count_is_told_for_what_is_typed(reviewer, approval):
    page = reviewer.open(at(approval))

    told = [
        Page(send(reviewer, page, approval, "/edits", **typed).text).text
        for typed in ({}, {"/amount": "1"}, {"/amount": "1", "/tags/0": "x"}, {"/amount": "x"})
    ]

    assert told == [
        "Approve as asked0",
        "Approve with 1 edit1 Will run with /amount 1 instead of 249.00",
        "Approve with 2 edits2 Will run with /amount 1 instead of 249.00, and 1 more edit",
        "Approve with edits0",
    ]


def test_edit_of_arguments_that_changed_meanwhile_is_refused_and_kept(reviewer, gateway, approval):
    page = reviewer.open(at(approval))
    other = DETAILS.replace("249.00", "250.00")
    change_approval(gateway, approval.id, details=other, details_sha256=sha256_hex(other))

    response = send(reviewer, page, approval, "/decision", APPROVE, **{"/tags/0": "mine"})

    shown = Page(response.text)
    assert response.status_code == 409
    assert (fields_of(shown, approval)["/tags/0"], fields_of(shown, approval)["/amount"]) == ("mine", "250.00")
    assert load_approval(gateway, approval.id).status == "pending"


def test_what_was_typed_is_shown_when_somebody_else_was_first(reviewer, gateway, approval):
    page = reviewer.open(at(approval))
    decide(gateway, make_person(gateway), approval)

    response = send(reviewer, page, approval, "/decision", APPROVE, **{"/amount": "12.5"})

    assert response.status_code == 409
    assert '"amount": 12.5' in Page(response.text).text


def test_number_that_is_none_is_shown_too_when_somebody_else_was_first(reviewer, gateway, approval):
    page = reviewer.open(at(approval))
    decide(gateway, make_person(gateway), approval)

    response = send(reviewer, page, approval, "/decision", APPROVE, **{"/amount": "12,5"})

    assert response.status_code == 422
    assert "/amount = 12,5" in Page(response.text).text


@pytest.mark.parametrize("broken", [{":set": None}, {"/tags:n": "3"}, {"/tags/0:set": "x"}, {"/amount:set": None}])
def test_form_that_came_incomplete_decides_nothing(reviewer, gateway, approval, broken):
    response = send(reviewer, reviewer.open(at(approval)), approval, "/decision", APPROVE, **broken)

    assert response.status_code == 422
    assert load_approval(gateway, approval.id).status == "pending"


def test_arguments_of_too_many_values_for_a_form_are_edited_as_json(reviewer, gateway):
    (made,) = ask(gateway, call("write", json.dumps({"list": list(range(MAX_NODES))})))

    page = reviewer.open(at(made))

    assert "modified_details" in fields_of(page, made)
    assert ("view", "form") not in page.form(at(made, "/decision")).buttons
