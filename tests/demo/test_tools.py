"""The shop's tools as the gateway sees and runs them."""

import json

import pytest

from gateway.demo.shop import open_shop
from gateway.demo.tools import shop_tools
from gateway.tools.base import CallContext, Failed, Ran
from gateway.tools.registry import ToolRegistry


@pytest.fixture
def shop(tmp_path):
    return open_shop(tmp_path / "shop.db")


@pytest.fixture
def registry(shop):
    registry = ToolRegistry()
    for tool in shop_tools(shop):
        registry.register(tool)
    return registry


def run(registry, name, arguments, key="apr_1"):
    context = CallContext(
        arguments_json=json.dumps(arguments), approval_id=key, job_id=None, idempotency_key=key, attempt=1
    )
    return registry.get(name).run(context)


def test_only_the_look_up_runs_without_a_reviewer(registry):
    gates = {each.name: (each.approval, each.risk, each.idempotent) for each in registry.definitions()}

    assert gates == {
        "lookup_order": ("auto", "low", True),
        "update_account_email": ("ask", "medium", False),
        "issue_refund": ("ask", "high", True),
        "send_email": ("ask", "medium", False),
    }


def test_titles_name_what_matters(registry):
    titles = {each.name: each.title for each in registry.definitions()}

    assert titles["update_account_email"] == "Change the email of account {account_id} to {new_email}"
    assert titles["issue_refund"] == "Refund {amount} {currency} for order {order_id}"


def test_each_tool_reaches_the_shop(registry, shop):
    order = run(registry, "lookup_order", {"order_id": "ord_1042"})
    account = run(registry, "update_account_email", {"account_id": "acc_9921", "new_email": "user@new.com"})
    mail = run(registry, "send_email", {"to": "a@b.example", "subject": "s", "body": "b"})

    assert isinstance(order, Ran)
    assert json.loads(order.result)["amount"] == "249.00"
    assert account == Ran('{"account_id":"acc_9921","email":"user@new.com","previous_email":"user@old.com"}')
    assert mail == Ran('{"mail_id":"mail_1","to":"a@b.example","subject":"s"}')
    assert len(shop.state()["mails"]) == 1


def test_repeated_attempt_refunds_once(registry, shop):
    arguments = {"order_id": "ord_1042", "amount": "249.00", "currency": "EUR"}

    first, again = (run(registry, "issue_refund", arguments) for _ in range(2))

    assert first == again == Ran('{"refund_id":"ref_1","order_id":"ord_1042","amount":"249.00","currency":"EUR"}')
    assert len(shop.state()["refunds"]) == 1


def test_shops_refusal_becomes_the_tools_error(registry):
    outcome = run(registry, "issue_refund", {"order_id": "ord_1077", "amount": "500.00", "currency": "EUR"})

    assert isinstance(outcome, Failed)
    assert "only 59.90 EUR of order ord_1077 can be refunded" in outcome.error
