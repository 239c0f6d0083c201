"""Single keys: each does what the list of them says, none while somebody types, and none when they are switched off."""

import re

from playwright.sync_api import Page, expect

from gateway.store.tables import Approval
from tests.browser.desk import Desk
from tests.browser.shop import details, fill
from tests.factories import ask, call, load_approval, load_decisions


def open_tags(desk: Desk, count: int = 3) -> tuple[Page, list[Approval]]:
    rows = ask(desk.gateway, *(call("tag_order", details(order_id=f"118-{n}", tag="vip")) for n in range(count)))
    page = desk.open("/")
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    return page, rows


def title(page: Page):
    return page.locator("h1")


def test_whole_way_through_the_inbox_by_keys(desk: Desk) -> None:
    page, rows = open_tags(desk)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Tag order 118-0 as vip")

    page.wait_for_timeout(700)
    page.keyboard.press("a")
    expect(title(page)).to_have_text("Tag order 118-1 as vip")
    page.keyboard.press("u")
    expect(title(page)).to_have_text("Tag order 118-0 as vip")
    assert load_approval(desk.gateway, rows[0].id).status == "pending"

    page.keyboard.press("j")
    expect(page.locator(".row-title").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Tag order 118-1 as vip")
    page.wait_for_timeout(700)
    page.keyboard.press("r")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("Not this one, a note with all keys: jkarexu/?")
    page.keyboard.press("Control+Enter")
    expect(title(page)).to_have_text("Tag order 118-2 as vip")
    (row,) = load_decisions(desk.gateway, rows[1].id)
    assert (row.verdict, row.note) == ("reject", "Not this one, a note with all keys: jkarexu/?")


def test_reject_at_once_when_the_reason_is_given(desk: Desk) -> None:
    page, rows = open_tags(desk, 1)
    page.locator(".row-title").click()
    expect(title(page)).to_have_text("Tag order 118-0 as vip")
    page.locator("#reason").select_option("not_needed")
    page.keyboard.press("Escape")
    page.wait_for_timeout(700)

    page.keyboard.press("r")

    page.locator("[data-toast]").wait_for()
    assert load_approval(desk.gateway, rows[0].id).status == "rejected"


def test_edit_opens_the_arguments(desk: Desk) -> None:
    page, _ = open_tags(desk, 1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(title(page)).to_be_focused()
    page.keyboard.press("e")
    expect(page.locator("[data-edit]").first).to_be_focused()


def test_select_search_places_and_the_list_of_keys(desk: Desk) -> None:
    page, _ = open_tags(desk)
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator(".pick input").first).to_be_checked()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page).to_have_url(re.compile("/history$"))
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page).to_have_url(re.compile("/$"))


def test_keys_wait_while_somebody_types_and_with_modifiers(desk: Desk) -> None:
    page, rows = open_tags(desk, 1)
    page.locator(".row-title").click()
    expect(title(page)).to_have_text("Tag order 118-0 as vip")
    page.wait_for_timeout(700)
    page.locator("#note").press_sequentially("arxu?/")
    page.locator("#call-title").focus()
    for pressed in ({"ctrlKey": True}, {"altKey": True}, {"metaKey": True}, {"repeat": True}):
        page.evaluate(
            "(how) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', how))",
            {"key": "a", "bubbles": True, **pressed},
        )

    assert page.locator("#note").input_value() == "arxu?/"
    assert load_approval(desk.gateway, rows[0].id).status == "pending"


def test_rest_of_a_word_whose_field_is_gone_is_no_key(desk: Desk) -> None:
    page, rows = open_tags(desk, 1)
    page.locator(".row-title").click()
    page.wait_for_timeout(1500)  # a decision just after a page has come is taken for a slip
    page.locator("#note").press_sequentially("do not")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.type(" approve this")
    page.wait_for_timeout(500)
    assert load_approval(desk.gateway, rows[0].id).status == "pending"

    page.wait_for_timeout(1500)
    page.keyboard.press("a")
    expect(page.get_by_text("Nothing is waiting")).to_be_visible()


def test_keys_do_nothing_once_they_are_switched_off(desk: Desk) -> None:
    page, rows = open_tags(desk, 1)
    page.goto(f"{desk.served.url}/settings")
    page.get_by_label("Single keys do something").uncheck()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("status").first).to_contain_text("The pages look so")
    page.goto(f"{desk.served.url}/approvals/{rows[0].id}")

    for key in "aru?/":
        page.keyboard.press(key)
    page.wait_for_timeout(200)

    assert load_approval(desk.gateway, rows[0].id).status == "pending"
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".button kbd").first).to_be_hidden()


def test_m_takes_the_open_call_and_gives_it_back(desk: Desk) -> None:
    refund = fill(desk.gateway).refund
    page = desk.open(f"/approvals/{refund.id}")

    page.keyboard.press("m")
    page.get_by_role("button", name="Give it back").wait_for()
    assert load_approval(desk.gateway, refund.id).assignee == desk.person.id
    expect(page.locator('[data-count="mine"]')).to_have_text("1")
    expect(page.locator(f"#row-{refund.id} .whose")).to_contain_text("with you")
    page.keyboard.press("m")
    page.get_by_role("button", name="Take it").wait_for()

    assert load_approval(desk.gateway, refund.id).assignee is None
