"""A list of flat objects is edited as a table: a row for each, a column for each key."""

from typing import Any

import pytest

from tests.factories import ask, call, load_approval
from tests.fakes import RecordingTool
from tests.ui.editing_form import APPROVE, at
from tests.ui.html_forms import Page, as_sent

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


def test_number_that_is_added_is_to_be_written_and_is_no_zero(reviewer, gateway, lines):
    fields = reviewer.open(at(lines)).form(at(lines, "/decision")).fields
    page = Page(reviewer.post(at(lines, "/edit"), as_sent(fields | {"step": "add:/lines/1/price"})).text)
    assert page.form(at(lines, "/decision")).fields["/lines/1/price"] == ""

    answer = reviewer.press(page, at(lines, "/decision"), APPROVE)

    assert answer.status_code == 422
    assert "Write a number" in Page(answer.text).text
    assert load_approval(gateway, lines.id).status == "pending"


def test_lists_that_are_no_table_stay_groups(reviewer, gateway):
    nested = {**ROWS, "properties": {**ROWS["properties"], "tags": {"type": "array"}}}
    gateway.tools.register(RecordingTool("mixed", schema=nested))
    (made,) = ask(gateway, call("mixed", '{"lines": [{"sku": "A"}, 5], "tags": ["a"]}'))

    assert "table" not in [tag for tag, _ in reviewer.open(at(made)).tags]


def test_heading_says_what_every_row_must_have_and_buttons_say_of_which_row_they_are(reviewer, lines):
    page = reviewer.open(at(lines))

    headings = page.html.partition("<thead>")[2].partition("</thead>")[0].split("</th>")
    assert [Page(each).text for each in headings if Page(each).text] == ["Item", "sku *", "price", "note", "extra"]
    assert "Set to null note, item 3" in page.text
    assert "Remove extra, item 1" in page.text
