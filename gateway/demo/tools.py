"""The demo shop's tools: one that runs by itself and three that wait for a reviewer."""

from typing import Any

from gateway.demo.shop import Shop
from gateway.tools.base import ApprovalMode, BaseTool, CallContext, FunctionParameters, Risk


def shop_tools(shop: Shop) -> list[BaseTool]:
    """Every tool of this shop, ready to be registered."""
    return [LookupOrder(shop), UpdateAccountEmail(shop), IssueRefund(shop), SendEmail(shop)]


class LookupOrder(BaseTool):
    """Reads an order; changes nothing, so nobody is asked."""

    name = "lookup_order"
    description = "Look up an order: what was bought, what it cost, its state and what was refunded so far."
    title = "Look up order {order_id}"
    risk: Risk = "low"
    approval: ApprovalMode = "auto"
    idempotent = True
    parameters = FunctionParameters(
        properties={"order_id": {"type": "string", "description": "For example ord_1042"}},
        required=["order_id"],
        additionalProperties=False,
    )

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def execute(self, order_id: str) -> dict[str, Any]:
        """The order as the shop has it."""
        return self._shop.lookup_order(order_id)


class UpdateAccountEmail(BaseTool):
    """Changes where a customer's mail goes."""

    name = "update_account_email"
    description = "Change the e-mail address of a customer's account."
    title = "Change the email of account {account_id} to {new_email}"
    risk: Risk = "medium"
    parameters = FunctionParameters(
        properties={
            "account_id": {"type": "string", "description": "For example acc_9921"},
            "new_email": {"type": "string", "description": "The new address", "maxLength": 254},
        },
        required=["account_id", "new_email"],
        additionalProperties=False,
    )

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def execute(self, account_id: str, new_email: str) -> dict[str, Any]:
        """The account with its new and its previous address."""
        return self._shop.update_account_email(account_id, new_email)


class IssueRefund(BaseTool):
    """Pays money back, once per approval."""

    name = "issue_refund"
    description = "Pay back an order, wholly or in part, to the account that bought it."
    title = "Refund {amount} {currency} for order {order_id}"
    risk: Risk = "high"
    idempotent = True
    parameters = FunctionParameters(
        properties={
            "order_id": {"type": "string", "description": "For example ord_1042"},
            "amount": {
                "type": "string",
                "description": "A decimal number as text, for example 249.00",
                "pattern": r"^[0-9]{1,9}(\.[0-9]{1,2})?$",
            },
            "currency": {"type": "string", "enum": ["EUR"]},
        },
        required=["order_id", "amount", "currency"],
        additionalProperties=False,
    )

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def execute(self, order_id: str, amount: str, currency: str, context: CallContext) -> dict[str, Any]:
        """The refund; a repeated attempt answers with the first one."""
        return self._shop.issue_refund(order_id, amount, currency, idempotency_key=context.idempotency_key)


class SendEmail(BaseTool):
    """Writes to a customer."""

    name = "send_email"
    description = "Send an e-mail to a customer."
    title = "Send an email to {to}"
    risk: Risk = "medium"
    parameters = FunctionParameters(
        properties={
            "to": {"type": "string", "description": "The recipient's address", "maxLength": 254},
            "subject": {"type": "string", "maxLength": 200},
            "body": {"type": "string", "maxLength": 20_000},
        },
        required=["to", "subject", "body"],
        additionalProperties=False,
    )

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def execute(self, to: str, subject: str, body: str) -> dict[str, Any]:
        """The mail's number, recipient and subject."""
        return self._shop.send_email(to, subject, body)
