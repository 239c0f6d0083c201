"""A Mistral tool call that waits for a reviewer: run as approved, or the rejection explained to the model.

Needs ``pip install cheqpoint mistralai``, and in the environment MISTRAL_API_KEY, COUNTERSIGN_URL and COUNTERSIGN_KEY.
"""

import json
import os

from cheqpoint import CheqpointClient
from mistralai.client import Mistral

REFUND = {
    "name": "process_refund",
    "description": "Refund an order.",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}},
        "required": ["order_id", "amount"],
    },
}

cheqpoint = CheqpointClient(api_key=os.environ["COUNTERSIGN_KEY"], base_url=os.environ["COUNTERSIGN_URL"])
mistral = Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=os.environ.get("MISTRAL_SERVER_URL"))


def process_refund(order_id: str, amount: float) -> str:
    return f"Refunded {amount} for {order_id}."


def run_if_approved(name: str, arguments: dict) -> str:
    """What the model is told in the call's place."""
    answer = cheqpoint.request_sync(
        action=name, summary=f"Refund {arguments['amount']} for {arguments['order_id']}", details=arguments
    )
    if answer["status"] == "approved":
        changed = answer["modifiedDetails"]
        try:
            return process_refund(**(arguments if changed is None else changed))
        except TypeError as error:
            return f"Error: {error}"
    if answer["status"] == "rejected":
        return f"Action rejected: {answer['decisionNote'] or 'blocked by reviewer'}"
    return f"Not decided yet, and not executed: {answer['approvalId']}"


def main(wish: str) -> str:
    messages: list = [{"role": "user", "content": wish}]
    while True:
        said = mistral.chat.complete(
            model="mistral-small-latest", messages=messages, tools=[{"type": "function", "function": REFUND}]
        )
        message = said.choices[0].message
        messages.append(message)
        if not message.tool_calls:
            return str(message.content)
        for call in message.tool_calls:
            result = run_if_approved(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": result})


if __name__ == "__main__":
    print(main("Refund order W1, 249.00: it never arrived"))
