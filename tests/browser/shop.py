"""A desk with something on it: calls of every risk, urgent ones, odd ones, decided ones."""

import json
from dataclasses import dataclass

from gateway.domain.approval import Approve, Reject
from gateway.domain.permission import ME
from gateway.store.tables import Approval
from gateway.tools.base import InDoubt
from gateway.usecases.assigning import assign
from gateway.usecases.gateway import Gateway
from tests.browser.desk import soon
from tests.factories import answer_turn, call, change_approval, decide, make_app, make_person, run, submit

WHY = (
    "The customer reports that the espresso machine (SKU EM-220) arrived with a cracked water tank and attached two "
    "photos. The order is 9 days old, within the 30-day window. I will refund the full price and send the apology "
    "template."
)
ORDER = {"order_id": "118-4402", "amount": 249.0, "currency": "EUR", "reason": "damaged", "notify_customer": True}


GOODS = (
    '{"order_id": "118-7001", "lines": [{"sku": "EM-220", "quantity": 2, "price": 249.00, "gift": false}, '
    '{"sku": "WT-014", "quantity": 1, "price": 18.50, "colour": "red"}]}'
)


@dataclass(frozen=True)
class Shop:
    """The calls that tests speak of."""

    refund: Approval
    urgent: Approval
    critical: Approval
    tags: list[Approval]
    address: Approval
    hidden: Approval
    doubtful: Approval
    decided: Approval


def details(**values: object) -> str:
    return json.dumps(values, ensure_ascii=False)


def refund(order: str, amount: str) -> str:
    """The arguments of a refund, the amount as it is written here."""
    return details(**{**ORDER, "order_id": order, "amount": 0}).replace('"amount": 0', f'"amount": {amount}')


def order_goods(gateway: Gateway) -> Approval:
    """A call with a list of flat objects waits, and somebody has taken it."""
    (goods,) = answer_turn(gateway, submit(gateway, make_app("procurement")).job.id, call("order_goods", GOODS))
    assign(gateway, make_person(gateway, email="reviewer.three@example.com"), goods.id, ME)
    return goods


def fill(gateway: Gateway) -> Shop:
    """The shop's calls wait, and some were decided."""
    support, crm = make_app("support-triage"), make_app("crm-cleanup")
    other = make_person(gateway, email="reviewer.two@example.com")

    def ask(app, *calls, text=""):
        return answer_turn(gateway, submit(gateway, app).job.id, *calls, text=text)

    (first,) = ask(support, call("refund_order", refund("118-3310", "310.00")))
    edited = Approve(refund("118-3310", "260.00"))
    decide(gateway, other, first, edited, note="Shipping and gift wrap are not refundable.")
    run(gateway, first)
    (second,) = ask(support, call("refund_order", refund("118-2207", "480.00")))
    decide(gateway, other, second, Reject(), note="Wrong customer. Look up by e-mail address.")
    gateway.tools.get("refund_order").outcome = InDoubt("The connection broke after the call was sent.")  # type: ignore[union-attr]
    (doubtful,) = ask(support, call("refund_order", refund("118-1975", "89.00")))
    decide(gateway, other, doubtful)
    run(gateway, doubtful)

    job = submit(gateway, support).job
    tagged, waiting, address = answer_turn(
        gateway,
        job.id,
        call("tag_order", details(order_id="118-4402", tag="damaged")),
        call("refund_order", refund("118-4402", "249.00")),
        call("update_address", details(order_id="118-4402", city="Lyon", street="12 rue Mercière")),
        text=WHY,
    )
    decide(gateway, other, tagged)
    run(gateway, tagged)
    (critical,) = ask(crm, call("delete_contacts", details(count=14, list="duplicates of March")))
    (urgent,) = ask(support, call("send_mail", details(to="212 customers", subject="Recall", body="Dear customer,\n…")))
    tags = ask(crm, *(call("tag_order", details(order_id=f"118-44{n:02}", tag="vip")) for n in range(3)))
    (hidden,) = ask(crm, call("tag_order", details(order_id="118-9", tag="invoice\u202etxt.exe")))
    change_approval(gateway, urgent.id, expires_at=soon(gateway, 4.2))
    change_approval(gateway, critical.id, expires_at=soon(gateway, 1.6))
    change_approval(gateway, waiting.id, expires_at=soon(gateway, 42))
    return Shop(waiting, urgent, critical, tags, address, hidden, doubtful, first)
