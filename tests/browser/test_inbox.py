"""The inbox in a real browser: searching, live changes that disturb nothing, and a connection that comes back."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import delete

from gateway.domain.approval import Reject
from gateway.domain.permission import Role
from gateway.store.accounts import CREDENTIALS_TOPIC
from gateway.store.session import announce
from gateway.store.tables import SignIn
from reviewer_ui.inbox_list import ROWS
from tests.browser.desk import Desk
from tests.browser.shop import details, fill
from tests.factories import ask, call, decide, make_app, make_person


def tag(number: int) -> dict[str, object]:
    return call("tag_order", details(order_id=f"118-{number}", tag="vip"))


def rows(page: Page):
    return page.locator("#queue .row-title")


def live(page: Page) -> None:
    expect(page.locator("#live")).to_have_attribute("data-live", "on")


def test_groups_counts_and_titles(desk: Desk) -> None:
    fill(desk.gateway)
    page = desk.open("/")

    expect(page.locator("#queue h2")).to_have_text(["In doubt 1", "Expiring soon 2", "Waiting 6"])
    assert rows(page).all_inner_texts()[1:3] == ["Delete 14 contacts", "Mail 212 customers"]
    assert page.title() == "(8) Inbox · Countersign"
    expect(page.locator(".rail [data-count=waiting]")).to_have_text("8")
    expect(page.locator(".rail [data-count=expiring]")).to_have_text("2")
    expect(page.locator("#summary")).to_have_text(re.compile(r"8 waiting, oldest \d+ s"))


def test_search_narrows_while_it_is_typed_and_goes_along_with_the_call(desk: Desk) -> None:
    shop = fill(desk.gateway)
    page = desk.open("/")
    page.locator("#q").press_sequentially("tool:tag_order agent:crm-cleanup")
    expect(rows(page)).to_have_count(4)
    expect(page.locator("#q")).to_be_focused()
    page.locator("#q").fill("risk:critical,high mail")
    expect(rows(page)).to_have_text(["Mail 212 customers"])
    page.locator("#q").fill("risk:huge")
    expect(page.locator(".search-problem")).to_contain_text("There is no risk “huge”")
    page.locator("#q").fill(f"job:{shop.refund.job_id}")
    expect(rows(page)).to_have_count(2)

    rows(page).first.click()

    expect(page).to_have_url(re.compile("q=job"))
    expect(page.locator("h1")).to_have_text("Refund 249.00 EUR for 118-4402")
    expect(rows(page)).to_have_count(2)


def test_search_stands_in_the_address_and_outlives_reloads_and_decisions(desk: Desk) -> None:
    shop = fill(desk.gateway)
    page = desk.open("/")
    page.locator("#q").fill("tool:tag_order")
    expect(page).to_have_url(re.compile(r"/\?q=tool"))
    page.reload()
    expect(rows(page)).to_have_count(4)

    page.goto(f"{desk.served.url}/approvals/{shop.refund.id}")
    page.locator("#q").fill("tool:tag_order")
    expect(rows(page)).to_have_count(4)
    expect(page).to_have_url(re.compile(rf"/approvals/{shop.refund.id}\?q=tool"))
    page.wait_for_timeout(1500)  # a click just after a page has come is taken for a slip
    page.locator("[data-approve]").click()

    expect(page.locator("h1")).to_contain_text("Tag")
    expect(page.locator("#q")).to_have_value("tool:tag_order")
    expect(rows(page)).to_have_count(4)


def test_filters_are_links(desk: Desk) -> None:
    fill(desk.gateway)
    page = desk.open("/")
    page.get_by_role("link", name="High risk").click()
    expect(page.locator(".filter-links [aria-current]")).to_have_text("High risk")
    expect(rows(page)).to_have_count(4)
    page.get_by_label("Filters").get_by_role("link", name="Expiring").click()
    expect(page.locator("#queue h2").last).to_have_text("Expiring soon 2")


def test_new_calls_appear_by_themselves_and_disturb_nothing(desk: Desk) -> None:
    app = make_app("shop")
    ask(desk.gateway, tag(1), tag(2), actor=app)
    page = desk.open("/")
    live(page)
    page.locator(".pick input").nth(1).check()
    page.locator("#q").press_sequentially("tag order")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(rows(page)).to_have_count(2)
    page.wait_for_timeout(400)

    ask(desk.gateway, tag(3), actor=app)

    expect(rows(page)).to_have_count(3)
    assert page.locator("#q").input_value() == "tag order"
    expect(page.locator("#q")).to_be_focused()
    assert page.evaluate("document.activeElement.selectionStart") == 7
    expect(page.locator(".pick input").nth(1)).to_be_checked()
    expect(page.locator(".pick input").nth(2)).not_to_be_checked()
    assert page.title().startswith("(3) ")


def test_decided_calls_go_by_themselves_and_keep_the_focus(desk: Desk) -> None:
    first, *_ = ask(desk.gateway, *(tag(n) for n in range(3)), actor=make_app("shop"))
    page = desk.open("/")
    live(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows(page).nth(1)).to_be_focused()

    decide(desk.gateway, make_person(desk.gateway), first, Reject())

    expect(rows(page)).to_have_count(2)
    expect(page.get_by_role("link", name="Tag order 118-1 as vip")).to_be_focused()


def test_connection_comes_back_after_the_server_was_away(desk: Desk) -> None:
    desk.expected += ["ERR_", "htmx", "network", "Failed to fetch"]
    page = desk.open("/")
    live(page)

    desk.served.stop()

    expect(page.locator("#live")).to_have_attribute("data-live", "off")
    expect(page.locator("[data-live-word]")).to_have_text("Offline, trying again")
    desk.served.start()
    expect(page.locator("#live")).to_have_attribute("data-live", "on", timeout=20_000)
    ask(desk.gateway, tag(1))
    expect(rows(page)).to_have_count(1)


def test_page_of_somebody_who_was_signed_out_says_so(desk: Desk) -> None:
    desk.expected.append("401")
    page = desk.open("/")
    live(page)

    with desk.gateway.database.write() as session:
        session.execute(delete(SignIn))
        announce(session, CREDENTIALS_TOPIC)

    expect(page.locator("[data-live-word]")).to_have_text("Signed out: load the page again", timeout=20_000)


def test_first_connection_that_fails_is_tried_again(desk: Desk) -> None:
    desk.expected += ["502", "htmx"]
    page = desk.page
    page.clock.install()
    bad = {"status": 502, "body": "<p>Bad gateway</p>", "content_type": "text/html"}
    page.route("**/events", lambda route: route.fulfill(**bad))
    desk.open("/")
    expect(page.locator("#live")).to_have_attribute("data-live", "off")
    expect(page.locator("#trouble")).to_be_hidden()
    assert "Bad gateway" not in page.content()

    page.unroute("**/events")
    page.clock.run_for(16_000)

    expect(page.locator("#live")).to_have_attribute("data-live", "on", timeout=20_000)
    ask(desk.gateway, tag(1))
    expect(rows(page)).to_have_count(1)


def test_one_connection_is_kept_while_going_through_the_calls(desk: Desk) -> None:
    ask(desk.gateway, *(tag(n) for n in range(3)))
    page = desk.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/events") else None)
    desk.open("/")
    live(page)
    for number in range(3):
        rows(page).nth(number).click()
        expect(page.locator("h1")).to_have_text(f"Tag order 118-{number} as vip")
    live(page)

    assert len(asked) == 1


def test_pages_of_the_list_follow_each_other(desk: Desk) -> None:
    ask(desk.gateway, *(tag(n) for n in range(ROWS + 3)))
    page = desk.open("/")
    expect(rows(page)).to_have_count(ROWS)
    page.get_by_role("link", name="Newer").click()
    expect(rows(page)).to_have_count(3)
    page.get_by_role("link", name="Oldest").click()
    expect(rows(page)).to_have_count(ROWS)


def test_auditor_sees_everything_and_no_button(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(Role.AUDITOR)
    shop = fill(desk.gateway)
    page = desk.open("/")
    expect(page.locator(".pick")).to_have_count(0)
    page.goto(f"{desk.served.url}/approvals/{shop.refund.id}")
    expect(page.locator(".decision-bar")).to_have_text(re.compile("You are signed in as an auditor"))
    expect(page.locator("[data-approve], [data-reject]")).to_have_count(0)


def test_title_counts_on_in_the_background(desk: Desk) -> None:
    page = desk.page
    page.clock.install()
    desk.open("/")
    live(page)
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    ask(desk.gateway, tag(1))
    page.clock.run_for(61_000)

    expect(page).to_have_title(re.compile(r"^\(1\) "))
