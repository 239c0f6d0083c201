"""The reviewer's desk for browsers: the real application behind a real server, calls that wait, and what is watched."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from gateway.domain.permission import PersonActor
from gateway.store.session import Database
from gateway.usecases.gateway import Gateway
from tests.factories import make_gateway, sign_in
from tests.fakes import RecordingTool
from tests.served import Served

AXE = Path(__file__).parent / "vendor" / "axe.min.js"

REFUND = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "number", "maximum": 500},
        "currency": {"type": "string", "enum": ["EUR", "USD", "GBP"]},
        "reason": {"type": "string"},
        "notify_customer": {"type": "boolean"},
    },
    "required": ["order_id", "amount"],
}
#: Tells the test of what browsers only say in their console.
WATCH = """
window.__strips = [];
document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`));
document.addEventListener("htmx:security:strip", (event) => console.error(`strip: ${JSON.stringify(event.detail)}`));
"""


def takes(**properties: str) -> dict[str, Any]:
    """The schema of these arguments and their types."""
    return {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()}}


TAG = takes(order_id="string", tag="string")
ADDRESS = takes(order_id="string", street="string", city="string")
CONTACTS = takes(count="integer", list="string")
MAIL = takes(to="string", subject="string", body="string")
OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth;
  const isSeen = (one) => one.getBoundingClientRect().width > 1
    && one.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true });
  const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
  const isWide = (one) => one.getBoundingClientRect().right > wide + 1
    || (one.scrollWidth > one.clientWidth + 1 && scrolls(one));
  const isStuckBehind = (one) => one.scrollHeight > one.clientHeight + 1
    && getComputedStyle(document.body).overflowY === "hidden";
  // What cannot be scrolled by hand, but is by a jump to one of its parts, never comes back.
  const isStuck = (one) => one.scrollHeight > one.clientHeight + 1 && getComputedStyle(one).overflowY === "hidden";
  const frames = [document.documentElement, ...document.querySelectorAll("body, main, .pane, .list")];
  const stuck = frames.filter((one) => one.clientHeight && (isStuck(one) || (one === frames[0] && isStuckBehind(one))));
  return [...document.querySelectorAll("body *")].filter((one) => isSeen(one) && isWide(one)).concat(stuck)
    .map((one) => `${one.tagName}.${one.className?.baseVal ?? one.className}#${one.id}`);
}"""


LINES = takes(order_id="string") | {"required": ["order_id"]}
LINES["properties"]["lines"] = {
    "type": "array",
    "items": takes(sku="string", quantity="integer", price="number", gift="boolean"),
}


def tools() -> list[RecordingTool]:
    """A shop's tools, of every risk."""
    return [
        RecordingTool("tag_order", schema=TAG, risk="low", title="Tag order {order_id} as {tag}"),
        RecordingTool("update_address", schema=ADDRESS, risk="medium", title="Change the address of order {order_id}"),
        RecordingTool("refund_order", schema=REFUND, risk="high", title="Refund {amount} {currency} for {order_id}"),
        RecordingTool("order_goods", schema=LINES, risk="medium", title="Order goods for {order_id}"),
        RecordingTool("delete_contacts", schema=CONTACTS, risk="critical", title="Delete {count} contacts"),
        RecordingTool("run_python", schema=takes(code="string", timeout_s="integer"), risk="high"),
        RecordingTool("send_mail", schema=MAIL, risk="high", title="Mail {to}", note_required=True),
    ]


@contextlib.contextmanager
def serving(database: Database, **policy: Any) -> Iterator[Served]:
    """The pages of a gateway with a shop's tools; nobody works on its queues."""
    served = Served(make_gateway(database, *tools(), **{"undo_hold_s": 30, **policy}))
    served.start()
    try:
        yield served
    finally:
        served.stop()


@dataclass
class Desk:
    """A signed-in person's browser window, and the gateway behind it."""

    served: Served
    context: BrowserContext
    page: Page
    person: PersonActor
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)  #: parts of complaints that this test is about

    @property
    def gateway(self) -> Gateway:
        return self.served.gateway

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.served.url + path)
        return self.page

    def check(self) -> None:
        """Nothing that the browser complained of is left unexplained."""
        unexplained = [one for one in self.complaints if not any(part in one for part in self.expected)]
        assert unexplained == [], unexplained


def watched(served: Served, context: BrowserContext, person: PersonActor) -> Desk:
    """A window in which the person is signed in, and which keeps what the browser complains of."""
    secret = sign_in(served.gateway, person)
    context.add_cookies([{"name": "countersign", "value": secret, "url": served.url}])
    context.add_init_script(WATCH)
    page = context.new_page()
    desk = Desk(served, context, page, person)

    def keep(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            desk.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", keep)
    page.on("pageerror", lambda error: desk.complaints.append(f"error: {error}"))
    return desk


def axe(page: Page) -> list[str]:
    """What axe-core finds wrong, one line for each place."""
    # Not as a script of the page: its policy would refuse it, and a page without its policy is another page.
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": AXE.read_text()})
    answer = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run().then((found) => found.violations.flatMap((bad) => "
            "bad.nodes.map((node) => `${bad.id}: ${node.target} ${node.failureSummary}`)))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    session.detach()
    found: list[str] = answer["result"]["value"]
    return found


def overflow(page: Page) -> list[str]:
    """The elements that stand out of the screen to the right, scroll sideways, or hide what is below them."""
    found: list[str] = page.evaluate(OVERFLOW)
    return found


def soon(gateway: Gateway, minutes: float) -> Any:
    """A moment so many minutes from now."""
    with gateway.database.read() as session:
        return gateway.database.now(session) + timedelta(minutes=minutes)
