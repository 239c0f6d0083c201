"""Editing in a browser: the server counts while somebody types, and the small buttons keep what was typed."""

import json
import re
from typing import Any

from playwright.sync_api import expect

from tests.factories import ask, call, load_approval
from tests.fakes import RecordingTool

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "code": {"type": "string"},
    },
    "required": ["amount"],
}
DETAILS = json.dumps({"amount": 249.5, "tags": ["a", "b"], "code": "import os\nos.system('ls')\n"})


def test_server_counts_what_is_typed_and_buttons_keep_it(desk, served):
    served.gateway.tools.register(RecordingTool("pay", schema=SCHEMA))
    (approval,) = ask(served.gateway, call("pay", DETAILS))
    page = desk.open(f"/approvals/{approval.id}")
    approve = page.locator("[data-approve]")
    expect(approve).to_contain_text("Approve as asked")

    page.get_by_role("textbox", name="amount").fill("199.00")
    expect(approve).to_contain_text("Approve with 1 edit")
    page.locator("[name='/tags/1']").fill("c")
    expect(approve).to_contain_text("Approve with 2 edits")
    expect(page.get_by_role("button", name="Changes 2")).to_be_visible()
    expect(page.locator("#edit-summary")).to_contain_text("Will run with /amount 199.00 instead of 249.5")
    expect(page.locator(".argument.changed")).to_have_count(2)
    page.locator("[name='/tags/1']").fill("b")
    expect(page.locator(".argument.changed")).to_have_count(1)
    expect(approve).to_contain_text("Approve with 1 edit")
    page.locator("[name='/tags/1']").fill("c")
    expect(approve).to_contain_text("Approve with 2 edits")

    page.get_by_role("button", name="Remove 1 of tags", exact=True).click()
    expect(page.locator("[name='/tags/0']")).to_have_value("c")
    expect(page.locator("[name='/amount']")).to_have_value("199.00")
    page.get_by_role("button", name="JSON", exact=True).click()
    expect(page.locator("textarea#modified_details")).to_have_value(re.compile(r'"amount": 199\.00'))
    page.get_by_role("button", name=re.compile("Changes")).click()
    expect(page.locator(".changes")).to_contain_text("(number)")
    desk.check()
    page.get_by_role("button", name="Form", exact=True).click()
    expect(page.locator("[name='/tags/0']")).to_have_value("c")
    page.wait_for_timeout(1500)  # a click just after a page has come is taken for a slip
    approve.click()
    expect(page.get_by_text("Nothing is waiting")).to_be_visible()

    decided = load_approval(served.gateway, approval.id)
    assert json.loads(decided.modified_details or "") == json.loads(DETAILS) | {"amount": 199.0, "tags": ["c"]}


def test_counting_leaves_whoever_types_where_they_are(desk, served):
    """Elsewhere, single keys decide."""
    served.gateway.tools.register(RecordingTool("pay", schema=SCHEMA))
    (approval,) = ask(served.gateway, call("pay", DETAILS))
    page = desk.open(f"/approvals/{approval.id}")
    page.wait_for_timeout(1500)  # until then no key decides

    for place, typed in [("[name='/tags/1']", "bar"), ("#note", "are we sure")]:
        page.locator(place).focus()
        with page.expect_response(re.compile("/edits$")):
            page.keyboard.type(typed)
        page.wait_for_timeout(300)
        expect(page.locator(place)).to_be_focused()
        page.keyboard.type("a")
        expect(page.locator(place)).to_have_value(re.compile(f"{typed}a"))

    assert load_approval(served.gateway, approval.id).status == "pending"


def test_error_goes_when_its_field_is_mended(desk, served):
    served.gateway.tools.register(RecordingTool("pay", schema=SCHEMA))
    (approval,) = ask(served.gateway, call("pay", DETAILS))
    page = desk.open(f"/approvals/{approval.id}")
    page.wait_for_timeout(1500)
    desk.expected.append("422")
    amount = page.get_by_role("textbox", name="amount")
    amount.fill("1,5")
    page.locator("[data-approve]").click()
    expect(page.get_by_text("Write a decimal point: 1.5.")).to_be_visible()
    expect(amount).to_have_attribute("aria-invalid", "true")

    page.get_by_role("link", name="Go to the field").click()
    expect(amount).to_be_focused()

    amount.fill("1.5")

    expect(page.get_by_text("Write a decimal point: 1.5.")).to_be_hidden()
    expect(amount).not_to_have_attribute("aria-invalid", "true")
    desk.check()


def test_small_buttons_lead_to_the_value_that_they_changed(desk, served):
    schema = {**SCHEMA, "properties": SCHEMA["properties"] | {"reason": {"type": ["string", "null"]}}}
    served.gateway.tools.register(RecordingTool("pay", schema=schema))
    (approval,) = ask(served.gateway, call("pay", DETAILS))
    page = desk.open(f"/approvals/{approval.id}")

    page.get_by_role("button", name="Add an item tags").click()
    expect(page.locator("[name='/tags/2']")).to_be_focused()
    page.get_by_role("button", name="Add reason").click()
    expect(page.locator("[name='/reason']")).to_be_focused()
    page.get_by_role("button", name="Set to null reason").click()
    expect(page.get_by_role("button", name="Give a value reason")).to_be_focused()
    page.set_viewport_size({"width": 1280, "height": 500})
    page.locator("#review-scroll").evaluate("(part) => part.scrollTo(0, 200)")
    page.get_by_role("button", name="Remove code").click()
    expect(page.get_by_role("button", name="Put back code")).to_be_focused()
    assert page.locator("#review-scroll").evaluate("(part) => part.scrollTop") > 0
    desk.check()
