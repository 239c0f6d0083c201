"""What holds on every page: no complaint of the browser, nothing that axe finds, nothing wider than the screen."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.desk import Desk, axe, overflow
from tests.browser.shop import Shop, fill

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
}
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


@pytest.mark.parametrize("look", LOOKS)
def test_pages_are_accessible(open_desk: Callable[..., Desk], look: str) -> None:
    desk = open_desk(**LOOKS[look])
    desk.expected.append("404")  # the page that is not there
    found = {"empty": axe(desk.open("/"))}
    for name, path in pages(fill(desk.gateway)).items():
        found[name] = axe(desk.open(path))
    desk.context.clear_cookies()
    found["sign-in"] = axe(desk.open("/"))

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_parts_that_come_and_go_are_accessible(desk: Desk) -> None:
    shop = fill(desk.gateway)
    page = desk.open(f"/approvals/{shop.tags[0].id}")
    page.keyboard.press("?")
    found = {"keys": axe(page)}
    page.keyboard.press("Escape")
    page.locator("[data-approve]").click()
    page.locator("[data-toast]").wait_for()
    found["toast"] = axe(page)
    page.locator(".pick input").first.check()
    found["bulk bar"] = axe(page)

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("width", [320, 390, 820, 1280])
def test_nothing_is_wider_than_the_screen(desk: Desk, width: int) -> None:
    desk.expected.append("404")
    shop = fill(desk.gateway)
    desk.page.set_viewport_size({"width": width, "height": 700})

    found = {name: overflow(desk.open(path)) for name, path in pages(shop).items()}
    desk.open(f"/approvals/{shop.tags[0].id}").locator("[data-approve]").click()
    desk.page.locator("[data-toast]").wait_for()
    found["toast"] = overflow(desk.page)

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("size", [(1280, 800), (820, 1100), (390, 844), (320, 568)])
def test_buttons_are_in_sight_and_cover_nothing(desk: Desk, size: tuple[int, int]) -> None:
    shop = fill(desk.gateway)
    desk.page.set_viewport_size({"width": size[0], "height": size[1]})
    page = desk.open(f"/approvals/{shop.refund.id}")

    for name in ("[data-reject]", "[data-approve]"):
        box = page.locator(name).bounding_box()
        assert box
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= size[1]
    bar, scroll = page.locator(".decision-bar").bounding_box(), page.locator("#review-scroll").bounding_box()
    assert bar
    assert scroll
    assert scroll["y"] + scroll["height"] <= bar["y"] + 0.5
    last = page.locator(".side-column section").last
    last.scroll_into_view_if_needed()
    seen = last.bounding_box()
    assert seen
    assert seen["y"] < bar["y"]


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
