"""Pictures of every page and state, light, dark and on a phone: ``make shots``, then look into shots/."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store.tables import Approval
from gateway.usecases.gateway import Gateway
from gateway.usecases.requests import ActionRequest, file_request
from tests.browser.desk import Desk
from tests.browser.shop import fill, order_goods
from tests.factories import ask, call, decide, make_app

CODE = """import csv
import os
import urllib.request

# What the customers of March have paid, without those who gave it back.
def total(path: str) -> float:
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] != "returned"]
    return sum(float(row["amount"]) for row in rows)

print(f"{total('march.csv'):.2f} EUR")
os.remove("march.csv")
urllib.request.urlopen("https://hooks.example.com/done")
"""
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
    for made in (run_code, ask_as_program):
        desk.open(f"/approvals/{made(desk.gateway).id}")
        shoot(made.__name__.partition("_")[2])
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


def run_code(gateway: Gateway) -> Approval:
    """A call whose argument is a program."""
    (made,) = ask(gateway, call("run_python", json.dumps({"code": CODE, "timeout_s": 30})))
    return made


def ask_as_program(gateway: Gateway) -> Approval:
    """A request of a program that acts on the decision itself."""
    steps = [
        {"type": "user", "content": "Refund order W5744371, it never arrived"},
        {"type": "tool", "content": "track_parcel: lost in transit since 12 November"},
    ]
    request = ActionRequest(
        origin="cheqpoint", action="process_refund", summary="Refund an order that was lost on its way",
        justification="The carrier confirmed the loss.", risk_score=0.8,
        details='{"order_id": "W5744371", "amount": 249.00, "currency": "EUR"}',
        sent_along=json.dumps({"trace": {"steps": steps, "model": "mistral-small-latest"}, "agentName": "Returns"}),
    )  # fmt: skip
    return file_request(gateway, make_app("returns-bot"), request).approval


def edit_table(desk: Desk) -> None:
    """A call with a list of flat objects is open, and one of their values is changed."""
    desk.open(f"/approvals/{order_goods(desk.gateway).id}")
    desk.page.locator('[name="/lines/0/price"]').fill("199.00")
    desk.page.get_by_text("Approve with 1 edit").wait_for()
    desk.page.get_by_role("button", name="Changes").click()
    desk.page.get_by_role("button", name="Form").click()
    desk.page.locator("td.changed").scroll_into_view_if_needed()
