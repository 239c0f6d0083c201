"""Editing on the review page: a form made of the schema, JSON and what changed, without JavaScript."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.arguments import sha256_hex
from gateway.domain.json_rewrite import rewrite
from gateway.domain.json_text import LIMITS, parse_literal
from reviewer_ui.editing.control_name import name_of, path_of
from reviewer_ui.editing.draft import MAX_NODES
from reviewer_ui.editing.editor import Typed, edit, edited_text
from tests.domain.test_argument_fidelity import keys, trees, write, write_object, writers
from tests.factories import ask, call, change_approval, decide, load_approval, load_events, make_person
from tests.fakes import RecordingTool
from tests.ui.hostile import PAYLOADS
from tests.ui.html_forms import Page, as_sent

BFCL = Path(__file__).parents[2].parent / "shared" / "data" / "bfcl_sample.jsonl"
APPROVE = ("verdict", "approve")
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


def at(approval, action=""):
    return f"/approvals/{approval.id}{action}"


def fields_of(page, approval):
    return page.form(at(approval, "/decision")).fields


def send(browser, page, approval, action, button=None, **typed):
    """The answer when the decision's form is sent by a button that leads elsewhere, or is not drawn as one."""
    assert button is None or button[0] not in fields_of(page, approval)  # no field may come twice
    fields = fields_of(page, approval) | typed | dict([button] if button else [])
    return browser.post(
        at(approval, action), as_sent({name: text for name, text in fields.items() if text is not None})
    )


def approved(browser, gateway, page, approval, **typed):
    response = send(browser, page, approval, "/decision", APPROVE, **typed)
    assert response.status_code == 303, Page(response.text).text
    return load_approval(gateway, approval.id).modified_details


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
        send(reviewer, page, approval, "/edits", **typed).text.strip()
        for typed in ({}, {"/amount": "1"}, {"/amount": "1", "/tags/0": "x"}, {"/amount": "x"})
    ]

    assert told == ["Approve as asked", "Approve with 1 edit", "Approve with 2 edits", "Approve with edits"]


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


TOKEN = "ghp_" + "a1B2" * 9


def test_secret_is_hidden_until_somebody_reveals_it_and_the_log_says_who(reviewer, gateway):
    details = json.dumps({"token": f"use {TOKEN}", "list": [TOKEN], "note": "x"})
    (made,) = ask(gateway, call("write", details))
    page = reviewer.open(at(made))
    for view in ("form", "json", "changes"):
        assert TOKEN not in reviewer.get(f"{at(made)}?view={view}").text
    assert "Has what looks like a secret: GitHub token." in page.text

    response = send(reviewer, page, made, "/reveal", ("pointer", "/token"), **{"/note": "typed"})

    shown = Page(response.text)
    assert fields_of(shown, made)["/token"] == f"use {TOKEN}"
    assert fields_of(shown, made)["/note"] == "typed"
    assert response.text.count(TOKEN) == 1
    seen = load_events(gateway, made.job_id or "")[-1]
    assert (seen.name, seen.approval_id) == ("approval.revealed", made.id)
    facts = json.loads(seen.data)
    assert (facts["paths"], facts["by"], facts["person_id"]) == (["/token"], reviewer.person.name, reviewer.person.id)
    assert TOKEN not in reviewer.get(at(made)).text


@pytest.mark.parametrize("view", ["form", "json"])
def test_mask_means_unchanged(reviewer, gateway, view):
    details = json.dumps({"token": f"use {TOKEN}", "note": "x"})
    (made,) = ask(gateway, call("write", details))
    page = reviewer.open(f"{at(made)}?view={view}")
    given = fields_of(page, made).get("modified_details", "")

    typed = {"/note": "y"} if view == "form" else {"modified_details": given.replace('"x"', '"y"')}

    assert approved(reviewer, gateway, page, made, **typed) == details.replace('"x"', '"y"')


def test_mask_at_another_place_is_refused(reviewer, gateway):
    (made,) = ask(gateway, call("write", json.dumps({"token": TOKEN, "note": "x"})))
    page = reviewer.open(f"{at(made)}?view=json")

    edited = '{"token": "••••", "note": "••••"}'
    response = send(reviewer, page, made, "/decision", APPROVE, modified_details=edited)

    assert response.status_code == 422
    assert "/note •••• stands for a secret" in Page(response.text).text


def test_auditor_reveals_nothing(auditor, gateway):
    (made,) = ask(gateway, call("write", json.dumps({"token": TOKEN})))

    response = auditor.post(at(made, "/reveal"), {"pointer": "/token"})

    assert response.status_code == 403
    assert TOKEN not in auditor.get(at(made)).text


def test_arguments_of_too_many_values_for_a_form_are_edited_as_json(reviewer, gateway):
    (made,) = ask(gateway, call("write", json.dumps({"list": list(range(MAX_NODES))})))

    page = reviewer.open(at(made))

    assert "modified_details" in fields_of(page, made)
    assert ("view", "form") not in page.form(at(made, "/decision")).buttons


def form_of(details, schema_text="{}", **options):
    return edit(Typed(), details, schema_text, (), LIMITS, **options)


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        (["EUR", "USD"], ["EUR", "USD"]),
        (["1", 1], ['"1"', "1"]),
        (["", "a"], ['""', '"a"']),
        ([" a", "a"], ['" a"', '"a"']),
    ],
)
def test_choices_are_plain_words_where_that_is_clear(enum, words):
    schema = {"type": "object", "properties": {"a": {"enum": enum}}}
    [field] = form_of(json.dumps({"a": enum[0]}), json.dumps(schema)).form.fields
    assert [choice.word for choice in field.choices] == words


def sent(field):
    """What a browser sends of this field and those in it: text areas with LF, as the server reads them."""
    yield f"{field.name}:set", field.kind
    if field.kind in {"object", "array"}:
        yield f"{field.name}:n", str(len(field.fields))
    elif field.kind == "choice":
        yield field.name, next(choice.value for choice in field.choices if choice.is_chosen)
    elif field.kind != "boolean" or field.text == "true":
        yield field.name, field.text.replace("\r\n", "\n").replace("\r", "\n")
    for child in field.fields:
        yield from sent(child)


def comes_back(details, schema_text="{}"):
    """True when the untouched form and the untouched JSON are both no edit."""
    made = form_of(details, schema_text)
    fields = dict(sent(made.form)) if made.form else {}
    as_json = Typed(json_text=made.json_text.replace("\r\n", "\n").replace("\r", "\n"))
    edits = [edited_text(typed, details, (), LIMITS) for typed in (Typed(fields=fields), as_json)]
    return edits == [None, None]


@pytest.mark.skipif(not BFCL.is_file(), reason="the real tool calls are not here: ../shared/data beside the project")
def test_every_real_schema_opens_and_its_untouched_form_is_no_edit():
    cases = [json.loads(line) for line in BFCL.read_text().splitlines()]
    with_form = 0
    for number, case in enumerate(cases):
        details = json.dumps(case["arguments"], ensure_ascii=number % 2 == 0, indent=number % 3 or None)
        schema_text = json.dumps(case["tool"]["function"]["parameters"])
        assert comes_back(details, schema_text), case["id"]
        with_form += form_of(details, schema_text).form is not None
    assert with_form == len(cases) == 400


@given(st.dictionaries(keys, trees, max_size=4), writers)
@settings(max_examples=300, deadline=None)
def test_untouched_form_of_any_arguments_is_no_edit(tree, writer):
    assert comes_back(write_object({name: write(value, writer) for name, value in tree.items()}, writer))


scalar_schemas = st.sampled_from(
    [
        {}, True, {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"},
        {"type": ["string", "null"]}, {"anyOf": [{"type": "number"}, {"type": "null"}]}, {"enum": [1, "a", None, 1.0]},
        {"const": 5}, {"type": "string", "readOnly": True}, {"oneOf": [{"type": "string"}]}, {"$ref": "#/nowhere"},
        {"$ref": "#"}, {"type": "float"}, {"type": 5}, {"enum": "x"}, {"type": "array"}, {"type": "object"},
        {"description": 5, "format": []}, {"items": [{}]}, {"properties": []}, {"required": 1},
    ]
)  # fmt: skip
schemas = st.recursive(
    scalar_schemas,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "array", ["object", "null"]])},
        optional={
            "properties": st.dictionaries(keys, inner, max_size=3),
            "items": inner,
            "additionalProperties": st.one_of(st.booleans(), inner),
            "required": st.lists(keys, max_size=2),
        },
    ),
    max_leaves=8,
)


@given(st.dictionaries(keys, trees, max_size=3), schemas, writers)
@settings(max_examples=300, deadline=None)
def test_untouched_form_under_any_schema_is_no_edit(tree, schema, writer):
    details = write_object({name: write(value, writer) for name, value in tree.items()}, writer)

    assert comes_back(details, json.dumps(schema))


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_comes_back_as_it_was(payload):
    schema = json.dumps({"properties": {payload: {"enum": [payload], "description": payload, "format": payload}}})
    for value in ({payload: payload}, {"a": [payload, {payload: payload}]}, {"code": payload}, {"a": {payload: [1]}}):
        for is_ascii in (True, False):
            assert comes_back(json.dumps(value, ensure_ascii=is_ascii), schema)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_control_names_lead_back_to_their_place_in_plain_characters(path):
    name = name_of(tuple(path))

    assert path_of(name) == tuple(path)
    assert name.isascii()
    assert ":" not in name
    assert not path or name.isprintable()


@given(st.dictionaries(keys, trees, max_size=4), st.dictionaries(keys, trees, max_size=4), writers)
@settings(max_examples=300, deadline=None)
def test_rewritten_text_means_the_new_value_and_is_the_old_text_where_nothing_changed(old, new, writer):
    text = write_object({name: write(value, writer) for name, value in old.items()}, writer)
    value = parse_literal(write_object({name: write(item, writer) for name, item in (old | new).items()}, writer))

    assert parse_literal(rewrite(text, value)) == value
    assert rewrite(text, parse_literal(text)) == text


ROWS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string"},
                    "price": {"type": "number"},
                    "note": {"type": ["string", "null"]},
                },
                "required": ["sku"],
            },
        }
    },
}
LINES = (
    '{"lines": [{"sku": "\\u0041-1",  "price": 1.10, "extra": "x"}, {"sku": "", "note": null},'
    ' {"sku": "C-3", "price": 5E0,  "note": "\\u0063"}]}'
)


@pytest.fixture
def lines(gateway):
    gateway.tools.register(RecordingTool("order", schema=ROWS))
    (made,) = ask(gateway, call("order", LINES))
    return made


def cells(page):
    """The words of each cell of the page's tables, by row."""
    rows = page.html.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
    return [
        [Page(f"<form id=decide action=/ method=post><td {cell}").text for cell in row.split("<td")[1:]] for row in rows
    ]


def test_flat_objects_are_a_table_with_a_column_for_each_key_also_those_beyond_the_schema(reviewer, lines):
    page = reviewer.open(at(lines))

    assert [tag for tag, _ in page.tags].count("table") == 1
    first, second, third = cells(page)
    assert [len(row) for row in (first, second, third)] == [4, 4, 4]
    assert page.form(at(lines, "/decision")).fields["/lines/0/extra"] == "x"
    assert "not there" in second[1]
    assert "not there" in third[3]
    assert "null" in second[2]
    assert "not there" not in second[0]  # it is there, and empty


def test_untouched_table_is_no_edit_and_one_cell_changes_one_literal(reviewer, gateway, lines):
    page = reviewer.open(at(lines))
    reviewer.press(page, at(lines, "/decision"), APPROVE, **{"/lines/2/price": "4"})

    assert load_approval(gateway, lines.id).modified_details == LINES.replace("5E0", "4")


def test_row_that_is_taken_out_leaves_the_others_as_they_were_written(reviewer, gateway, lines):
    fields = reviewer.open(at(lines)).form(at(lines, "/decision")).fields
    page = Page(reviewer.post(at(lines, "/edit"), as_sent(fields | {"step": "remove:/lines/1"})).text)
    reviewer.press(page, at(lines, "/decision"), APPROVE)

    assert load_approval(gateway, lines.id).modified_details == (
        '{"lines": [{"sku": "\\u0041-1",  "price": 1.10, "extra": "x"}, '
        '{"sku": "C-3", "price": 5E0,  "note": "\\u0063"}]}'
    )


def test_wrong_cell_says_so_beside_its_control(reviewer, lines):
    page = reviewer.open(at(lines))

    answer = reviewer.press(page, at(lines, "/decision"), APPROVE, **{"/lines/0/price": "1,5"})

    assert answer.status_code == 422
    first, *_ = cells(Page(answer.text))
    assert "Write a decimal point: 1.5." in first[1]


def test_cell_that_is_not_there_is_added_by_its_button(reviewer, gateway, lines):
    fields = reviewer.open(at(lines)).form(at(lines, "/decision")).fields
    page = Page(reviewer.post(at(lines, "/edit"), as_sent(fields | {"step": "add:/lines/1/price"})).text)
    reviewer.press(page, at(lines, "/decision"), APPROVE, **{"/lines/1/price": "2.50"})

    edited = load_approval(gateway, lines.id).modified_details
    assert edited is not None
    assert '{"sku": "", "note": null, "price": 2.50}' in edited


def test_lists_that_are_no_table_stay_groups(reviewer, gateway):
    nested = {**ROWS, "properties": {**ROWS["properties"], "tags": {"type": "array"}}}
    gateway.tools.register(RecordingTool("mixed", schema=nested))
    (made,) = ask(gateway, call("mixed", '{"lines": [{"sku": "A"}, 5], "tags": ["a"]}'))

    assert "table" not in [tag for tag, _ in reviewer.open(at(made)).tags]
