"""History, job, settings, and what small screens make of all pages."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from gateway.domain.permission import PersonActor, Role
from gateway.usecases import accounts
from tests.browser.desk import Desk, overflow
from tests.browser.shop import details, fill
from tests.factories import answer_turn, ask, call, decide, make_person, run, sign_in, submit

PASSWORD = "correct horse battery"


def test_history_is_searched_filtered_and_taken_along(desk: Desk) -> None:
    fill(desk.gateway)
    page = desk.open("/history")
    expect(page.locator(".log tbody tr")).to_have_count(4)
    edited = page.locator(".log tbody tr").last
    expect(edited).to_contain_text("Approved with edits")
    expect(edited.locator(".edits")).to_have_text(re.compile(r"/amount[\s\S]*310\.00[\s\S]*260\.00"))
    expect(edited).to_contain_text("“Shipping and gift wrap are not refundable.”")
    expect(edited.locator("td").last).to_have_text(re.compile(r"\d+ s"))
    expect(edited).to_contain_text("Executed")

    page.locator("#verdict").select_option("reject")
    expect(page.locator(".log tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("verdict=reject"))
    page.locator("#q").fill("customer")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=customer"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["verdict"] for row in rows] == ["reject"]


def test_filters_of_the_history_unfold_on_a_phone(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(viewport={"width": 320, "height": 640})
    fill(desk.gateway)
    page = desk.open("/history")
    expect(page.locator("#verdict")).to_be_hidden()
    page.get_by_text("Filters").click()
    expect(page.locator("#verdict")).to_be_visible()
    assert overflow(page) == []


def test_job_shows_its_conversation_and_goes_on_by_itself(desk: Desk) -> None:
    job = submit(desk.gateway).job
    (tag,) = answer_turn(
        desk.gateway, job.id, call("tag_order", details(order_id="1", tag="vip")), text="I tag it first."
    )
    page = desk.open(f"/jobs/{job.id}")
    expect(page.locator(".transcript > li")).to_have_count(2)
    expect(page.locator(".transcript .assistant")).to_contain_text("model text, not verified")
    expect(page.locator(".transcript .call .chip")).to_have_text(["Pending"])

    decide(desk.gateway, make_person(desk.gateway), tag)
    run(desk.gateway, tag)

    expect(page.locator(".transcript .call .chip")).to_have_text(["Approved", "Executed"])
    expect(page.locator(".transcript .tool")).to_contain_text("sent")


def test_review_page_of_a_running_call_follows_it_to_its_end(desk: Desk) -> None:
    (tag,) = ask(desk.gateway, call("tag_order", details(order_id="1", tag="vip")))
    decide(desk.gateway, make_person(desk.gateway), tag)
    page = desk.open(f"/approvals/{tag.id}")
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    expect(page.locator(".review-head .chip")).to_have_text(["Approved"])

    run(desk.gateway, tag)

    expect(page.locator(".review-head .chip")).to_have_text(["Approved", "Executed"])


def test_theme_is_the_servers_and_stays(desk: Desk) -> None:
    page = desk.open("/settings")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Dark").check()
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    assert page.evaluate(ground) != light
    desk.open("/history")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_password_tokens_and_other_browsers(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    desk.expected.append("401")
    rita = accounts.create_person(
        desk.gateway, email="rita@example.com", name="Rita", role=Role.REVIEWER, password=PASSWORD
    )
    desk.context.clear_cookies()
    page = desk.open("/settings")
    page.get_by_label("E-mail").fill(rita.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/settings$"))

    page.get_by_role("button", name="Make a token").click()
    expect(page.locator(".secret code")).to_have_text(re.compile("^cs_pat_"))
    page.get_by_role("button", name=re.compile("^Revoke")).click()
    expect(page.get_by_role("button", name=re.compile("^Revoke"))).to_have_count(0)

    actor = PersonActor(id=rita.id, email=rita.email, name=rita.name, role=Role.REVIEWER)
    other = sign_in(desk.gateway, actor)
    page.reload()
    page.goto(f"{desk.served.url}/settings")
    page.get_by_role("button", name="Sign out there").click()
    expect(page.get_by_text("That browser is signed out.")).to_be_visible()
    assert accounts.signed_in(desk.gateway, other) is None

    page.get_by_label("Your password now").fill("wrong")
    page.get_by_label("The new one").fill("a new password")
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator(".sheet .problem")).to_contain_text("This is not your password.")
    page.get_by_label("Your password now").fill(PASSWORD)
    page.get_by_label("The new one").fill("a new password")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    assert accounts.sign_in(desk.gateway, email=rita.email, password="a new password")


def test_phone_shows_one_pane_at_a_time(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    fill(desk.gateway)
    page = desk.open("/")
    expect(page.locator(".tabbar")).to_be_visible()
    expect(page.locator("#pane")).to_be_hidden()

    page.get_by_role("link", name="Delete 14 contacts").tap()

    expect(page.locator("h1")).to_have_text("Delete 14 contacts")
    expect(page.locator("#list")).to_be_hidden()
    expect(page.locator(".tabbar")).to_be_hidden()
    for name in ("[data-reject]", "[data-approve]"):
        box = page.locator(name).bounding_box()
        assert box
        assert box["height"] >= 44
    page.get_by_role("link", name="Back to the inbox").tap()
    expect(page.locator("#list")).to_be_visible()


def test_browsers_notice_is_given_in_the_background_when_it_is_allowed(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(permissions=["notifications"])
    page = desk.page
    page.add_init_script(
        "window.notices = []; window.Notification = class { static permission = 'granted'; "
        "constructor(title, options) { window.notices.push(`${title}: ${options.body}`); } };"
    )
    page.clock.install()
    desk.open("/")
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    ask(desk.gateway, call("tag_order", details(order_id="1", tag="vip")))

    page.clock.run_for(61_000)

    expect(page).to_have_title(re.compile(r"^\(1\) "))
    assert page.evaluate("window.notices") == ["A call waits for a decision: 1 wait in all."]
