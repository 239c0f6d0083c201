"""What clients of Cheqpoint send, the documented fields of earlier versions among it."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.api.bodies import Words, invalid, read_members
from gateway.domain.json_text import Limits
from gateway.usecases.cheqpoint import ORIGIN
from gateway.usecases.requests import ActionRequest
from gateway.web.limits import MAX_SUMMARY_CHARS

#: What the answer may be held for; longer waits are answered with "pending".
MAX_HOLD_MS = 60_000

_CALLBACKS = ("webhookUrl", "callbackUrl")
#: What is read into fields of its own. All else that a client sends is kept, and shown to the reviewer as its words.
_READ = {"apiKey", "action", "summary", "details", "justification", "riskScore", "riskLevel", "maxWaitMs", *_CALLBACKS}


class RequestBody(BaseModel):
    """A request for a decision, as ``/api/approvals/request`` and ``/api/webhooks/inbound`` take it."""

    # Newer clients may send more: it is shown, and never refused.
    model_config = ConfigDict(extra="allow", strict=True)

    action: Words = Field(max_length=200, description="The category of what is to be done", examples=["send_email"])
    summary: Words = Field(max_length=MAX_SUMMARY_CHARS, description="One sentence for the reviewer")
    details: dict[str, Any] = Field(description="What exactly is to be done; kept character for character")
    justification: str | None = Field(None, max_length=MAX_SUMMARY_CHARS, description="Why, in the agent's words")
    riskScore: float | None = Field(None, ge=0, le=1)
    riskLevel: Literal["low", "medium", "high", "critical"] | None = None
    maxWaitMs: float | None = Field(None, ge=0, allow_inf_nan=False, description="Hold the answer for so long")
    webhookUrl: str | None = Field(None, description="Where the decision is told")
    callbackUrl: str | None = Field(None, description="The same, by the other name")
    apiKey: str | None = Field(None, description="Counts without a key in the headers; is never kept")

    @property
    def hold_s(self) -> float:
        """For how long the answer may wait for the decision."""
        return min(self.maxWaitMs or 0, MAX_HOLD_MS) / 1000


def read_request(raw: bytes, limits: Limits, max_bytes: int) -> tuple[RequestBody, ActionRequest]:
    """The body, and the request in it with its exact details. Raises: InvalidJson, TooLarge, InvalidRequest."""
    members = read_members(raw, _around(limits, max_bytes))
    body = _parsed(raw)
    if body.webhookUrl and body.callbackUrl and body.webhookUrl != body.callbackUrl:
        raise invalid([{"pointer": "callbackUrl", "message": "webhookUrl names another address: give one"}])
    others = {name: text for name, text in members.items() if name not in _READ}
    return body, ActionRequest(
        origin=ORIGIN,
        action=body.action,
        summary=body.summary,
        details=members["details"],
        justification=body.justification,
        risk_score=body.riskScore,
        risk=body.riskLevel,
        sent_along=_object_of(others) if others else None,
        callback_url=body.callbackUrl or body.webhookUrl or None,
    )


def key_in(raw: bytes, limits: Limits, max_bytes: int) -> str | None:
    """The ``apiKey`` of a body. Raises: InvalidJson, TooLarge."""
    text = read_members(raw, _around(limits, max_bytes)).get("apiKey")
    key = json.loads(text) if text else None
    return key if isinstance(key, str) else None


def _parsed(raw: bytes) -> RequestBody:
    try:
        return RequestBody.model_validate(json.loads(raw))
    except ValidationError as error:
        places = error.errors(include_url=False, include_input=False)
        raise invalid([_place(place) for place in places]) from None


def _place(entry: Any) -> dict[str, str]:
    named = ".".join(str(part) for part in entry["loc"])
    return {"pointer": named, "message": str(entry["msg"]).removeprefix("Value error, ").rstrip(".")}


def _object_of(members: dict[str, str]) -> str:
    """The JSON object of these members, each with its exact text."""
    return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {text}" for name, text in members.items()) + "}"


def _around(limits: Limits, max_bytes: int) -> Limits:
    """What details may have, and as much again around them."""
    return Limits(
        max_bytes=max_bytes,
        max_string_bytes=limits.max_string_bytes,
        max_depth=limits.max_depth + 1,
        max_keys=2 * limits.max_keys,
    )
