"""What holds on every page: no complaint of the browser, nothing that axe finds, nothing wider than the screen."""

from typing import Literal

from playwright.sync_api import FloatRect, Locator, Page

from tests.browser.desk import Desk, axe, overflow
from tests.browser.shop import Shop, fill, order_goods

WIDTHS = (320, 390, 820, 1280)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MAX_BYTES = 120_000


def pages(shop: Shop) -> dict[str, str]:
    calls = {name: f"/approvals/{getattr(shop, name).id}" for name in ("refund", "critical", "hidden", "doubtful")}
    return {
        "inbox": "/",
        "expiring": "/?q=is:expiring",
        "no match": "/?q=risk:odd+nothing",
        **calls,
        "decided": f"/approvals/{shop.decided.id}",
        "history": "/history",
        "filtered history": "/history?q=customer&verdict=reject",
        "job": f"/jobs/{shop.refund.job_id}",
        "tools": "/tools",
        "settings": "/settings",
        "nothing": "/approvals/apr_nothing",
    }


def box(part: Locator) -> FloatRect:
    found = part.bounding_box()
    assert found
    return found


def wrong_in(page: Page) -> list[str]:
    """What axe finds in the page, light, dark and on a phone, and what is wider than screens of any size."""
    found: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{width} px: {one}" for one in overflow(page)]
        if width == 390:
            found += [f"phone: {one}" for one in axe(page)]
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {one}" for one in axe(page)]
    return found


def test_pages_are_accessible_and_fit_every_screen(desk: Desk) -> None:
    desk.expected.append("404")  # the page that is not there
    found = {"empty": wrong_in(desk.open("/"))}
    for name, path in pages(fill(desk.gateway)).items():
        found[name] = wrong_in(desk.open(path))
    desk.context.clear_cookies()
    found["sign-in"] = wrong_in(desk.open("/"))

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_parts_that_come_and_go_are_accessible(desk: Desk) -> None:
    shop = fill(desk.gateway)
    page = desk.open(f"/approvals/{shop.tags[0].id}")
    page.keyboard.press("?")
    found = {"keys": wrong_in(page)}
    page.keyboard.press("Escape")
    page.locator("[data-approve]").click()
    page.locator("[data-toast]").wait_for()
    found["toast"] = wrong_in(page)
    page.locator(".pick input").first.check()
    found["bulk bar"] = wrong_in(page)

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_table_of_a_list_and_who_looks_at_a_call_are_accessible(desk: Desk) -> None:
    goods = order_goods(desk.gateway)
    page = desk.open(f"/approvals/{goods.id}")
    page.locator('[name="/lines/0/price"]').fill("199,5")
    page.get_by_text("Add another key to an item").click()
    page.get_by_role("button", name="Remove item 2").click()
    page.locator('[name="/lines/1/sku"]').wait_for(state="detached")
    page.get_by_text("Give to…").click()
    found = {"table": wrong_in(page)}
    found["inbox"] = wrong_in(desk.open("/"))

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_buttons_are_in_sight_and_cover_nothing(desk: Desk) -> None:
    page = desk.open(f"/approvals/{fill(desk.gateway).refund.id}")
    for width, height in ((1280, 800), (820, 1100), (390, 844), (320, 568)):
        page.set_viewport_size({"width": width, "height": height})
        for name in ("[data-reject]", "[data-approve]"):
            button = box(page.locator(name))
            assert button["y"] >= 0
            assert button["y"] + button["height"] <= height
        bar, scroll = box(page.locator(".decision-bar")), box(page.locator("#review-scroll"))
        assert scroll["y"] + scroll["height"] <= bar["y"] + 0.5
        last = page.locator(".side-column section").last
        last.scroll_into_view_if_needed()
        assert box(last)["y"] < bar["y"]


def test_buttons_are_in_sight_and_the_title_first_on_low_screens(desk: Desk) -> None:
    """A phone on its side, and a desk's screen enlarged to twice its size."""
    shop = fill(desk.gateway)
    for width, height in ((844, 390), (720, 450), (1440, 450)):
        desk.page.set_viewport_size({"width": width, "height": height})
        page = desk.open(f"/approvals/{shop.refund.id}")
        for name in ("[data-reject]", "[data-approve]"):
            button = box(page.locator(name))
            assert 0 <= button["y"] <= height - button["height"], (width, height, name)
        assert 0 <= box(page.locator("#call-title"))["y"] < height / 2, (width, height)


def test_page_weighs_little_without_anything_kept(desk: Desk) -> None:
    shop = fill(desk.gateway)
    session = desk.context.new_cdp_session(desk.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    weights: dict[str, float] = {}
    session.on("Network.loadingFinished", lambda done: total.append(done["encodedDataLength"]))
    for name, path in pages(shop).items():
        total: list[float] = []
        desk.expected.append("404")
        desk.open(path).wait_for_timeout(100)
        weights[name] = sum(total)

    assert {name: weight for name, weight in weights.items() if weight > MAX_BYTES} == {}
    assert min(weights.values()) > 20_000, "the measuring works"
