"""Pictures of every page and state, light, dark and on a phone: ``make shots``, then look into shots/."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.desk import Desk
from tests.browser.shop import fill, order_goods
from tests.factories import decide

FOLDER = Path(__file__).parents[2] / "shots"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "tablet": {"viewport": {"width": 1024, "height": 768}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}


@pytest.mark.parametrize("look", LOOKS)
def test_pictures(open_desk: Callable[..., Desk], look: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    desk = open_desk(email="reviewer.one@example.com", **LOOKS[look])

    def shoot(name: str) -> None:
        desk.page.wait_for_timeout(250)
        desk.page.screenshot(path=FOLDER / f"{name}-{look}.png")

    desk.open("/")
    shoot("empty")
    shop = fill(desk.gateway)
    desk.open("/")
    shoot("inbox")
    desk.open(f"/approvals/{shop.refund.id}")
    shoot("refund")
    desk.page.locator('[name="/amount"]').fill("199.00")
    desk.page.get_by_text("Approve with 1 edit").wait_for()
    desk.page.get_by_role("button", name="Changes").click()
    desk.page.locator(".changes").wait_for()
    shoot("changes")
    desk.page.get_by_role("button", name="Form").click()
    desk.page.locator(".argument.changed").wait_for()
    shoot("edited")
    edit_table(desk)
    shoot("table")
    for name in ("critical", "hidden", "doubtful", "decided"):
        desk.open(f"/approvals/{getattr(shop, name).id}")
        shoot(name)
    desk.open(f"/approvals/{shop.address.id}")
    decide(desk.gateway, desk.person, shop.address)
    desk.page.locator("[data-settled]").wait_for()
    shoot("settled")
    desk.open(f"/approvals/{shop.tags[0].id}")
    desk.page.locator("[data-approve]").click()
    desk.page.locator("[data-toast]").wait_for()
    shoot("toast")
    desk.open("/?q=agent:crm-cleanup")
    for box in desk.page.locator(".pick input").all()[:4]:
        box.check()
    shoot("bulk")
    desk.page.locator("[data-bulk-approve]").click()
    desk.page.locator(".report").wait_for()
    shoot("bulk-report")
    desk.open("/?q=nothing+like+this")
    shoot("no-match")
    desk.open("/history")
    shoot("history")
    desk.open(f"/jobs/{shop.refund.job_id}")
    shoot("job")
    for name in ("tools", "settings"):
        desk.open(f"/{name}")
        shoot(name)


def edit_table(desk: Desk) -> None:
    """A call with a list of flat objects is open, and one of their values is changed."""
    desk.open(f"/approvals/{order_goods(desk.gateway).id}")
    desk.page.locator('[name="/lines/0/price"]').fill("199.00")
    desk.page.get_by_text("Approve with 1 edit").wait_for()
    desk.page.get_by_role("button", name="Changes").click()
    desk.page.get_by_role("button", name="Form").click()
    desk.page.locator("td.changed").scroll_into_view_if_needed()
