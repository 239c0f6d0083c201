"""The bodies with which a reviewer decides a call, gives it time or to somebody, sees its secrets, ends its doubt."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gateway.api.bodies import ClientBody, Plain, Rfc3339, Words, invalid, parse_as, read_members
from gateway.domain.approval import Approve, Choice, Reject, Respond
from gateway.domain.execution import Resolution
from gateway.domain.json_text import Limits
from gateway.usecases.approvals import Ruling
from gateway.web.limits import MAX_NOTE_CHARS, MAX_REASON_CODE_CHARS, MAX_RESPONSE_CHARS, MAX_RESULT_CHARS


class DecisionBody(ClientBody):
    """A verdict about exactly the arguments whose hash is given."""

    verdict: Literal["approve", "reject", "respond"]
    details_sha256: str = Field(description="Of the details as shown", pattern="^[0-9a-f]{64}$")
    modified_details: dict[str, Any] | None = Field(None, description="Run with these arguments instead")
    note: str | None = Field(None, max_length=MAX_NOTE_CHARS, description="Why; a rejection's note is told the model")
    reason_code: str | None = Field(None, max_length=MAX_REASON_CODE_CHARS)
    response: Words | None = Field(
        None, max_length=MAX_RESPONSE_CHARS, description="With respond: told the model in the tool's place"
    )


class ResolutionBody(ClientBody):
    """What a person found out about a call that is in doubt."""

    outcome: Resolution = Field(strict=False)
    result: str | None = Field(None, max_length=MAX_RESULT_CHARS, description="With ran: what the tool answered")
    note: Words = Field(max_length=MAX_NOTE_CHARS)


class ExtensionBody(ClientBody):
    """Until when a call can be decided."""

    expires_at: Rfc3339 = Field(description="Later than the present one, at most 400 days from now")


class AssignmentBody(ClientBody):
    """Who looks at a call."""

    assignee: Plain | None = Field(description="`me`, a person's id or e-mail; null: nobody", examples=["me"])


class RevealBody(ClientBody):
    """Which secrets somebody wants to see."""

    pointers: list[str] | None = Field(None, min_length=1, description="Of `secrets`; absent: all of them")


_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
DECISION_EXAMPLES: dict[str, Any] = {
    "approve": {"summary": "Run it as asked", "value": {"verdict": "approve", "details_sha256": _SHA256}},
    "edit": {
        "summary": "Run it with other arguments",
        "value": {
            "verdict": "approve",
            "details_sha256": _SHA256,
            "modified_details": {"order_id": "ord_1042", "amount": 120.50},
            "note": "Only the kettle is covered.",
        },
    },
    "reject": {
        "summary": "Do not run it",
        "value": {"verdict": "reject", "details_sha256": _SHA256, "note": "Already refunded in March."},
    },
    "respond": {
        "summary": "Answer in the tool's place",
        "value": {"verdict": "respond", "details_sha256": _SHA256, "response": "The order was delivered on Monday."},
    },
}
EXTENSION_EXAMPLES: dict[str, Any] = {
    "until": {"summary": "Until Monday noon", "value": {"expires_at": "2026-11-30T12:00:00Z"}},
}
ASSIGNMENT_EXAMPLES: dict[str, Any] = {
    "take": {"summary": "Take it", "value": {"assignee": "me"}},
    "give": {"summary": "Give it to somebody", "value": {"assignee": "rita@example.com"}},
}
REVEAL_EXAMPLES: dict[str, Any] = {
    "one": {"summary": "One of them", "value": {"pointers": ["/card_number"]}},
    "all": {"summary": "All of them", "value": {}},
}
RESOLUTION_EXAMPLES: dict[str, Any] = {
    "ran": {
        "summary": "It had run",
        "value": {"outcome": "ran", "result": "refund re_81", "note": "In the ledger"},
    },
    "did_not_run": {"summary": "It had not", "value": {"outcome": "did_not_run", "note": "Nothing in the ledger"}},
    "run_again": {"summary": "Try once more", "value": {"outcome": "run_again", "note": "The service was down"}},
}


def read_ruling(raw: bytes, limits: Limits, max_bytes: int) -> Ruling:
    """What the body decides; an edit is its exact slice. Raises: InvalidJson, TooLarge, InvalidRequest."""
    texts = read_members(raw, _around(limits, max_bytes))
    body = parse_as(DecisionBody, raw)
    if "modified_details" in texts and (body.verdict != "approve" or body.modified_details is None):
        reason = "belongs to the verdict approve" if body.verdict != "approve" else "must be a JSON object"
        raise invalid([{"pointer": "/modified_details", "message": reason}])
    return Ruling(
        choice=_choice(body, texts.get("modified_details")),
        details_sha256=body.details_sha256,
        note=body.note,
        reason_code=body.reason_code,
        channel="api",
    )


def read_resolution(raw: bytes, limits: Limits, max_bytes: int) -> ResolutionBody:
    """What the body settles. Raises: InvalidJson, TooLarge, InvalidRequest."""
    read_members(raw, _around(limits, max_bytes))
    body = parse_as(ResolutionBody, raw)
    if body.result is not None and body.outcome is not Resolution.RAN:
        raise invalid([{"pointer": "/result", "message": "belongs to the outcome ran"}])
    return body


def read_extension(raw: bytes, limits: Limits, max_bytes: int) -> datetime:
    """Until when. Raises: InvalidJson, TooLarge, InvalidRequest."""
    read_members(raw, _around(limits, max_bytes))
    return parse_as(ExtensionBody, raw).expires_at


def read_assignment(raw: bytes, limits: Limits, max_bytes: int) -> str | None:
    """Who is to look at the call: ``me``, an id or an e-mail. Raises: InvalidJson, TooLarge, InvalidRequest."""
    read_members(raw, _around(limits, max_bytes))
    return parse_as(AssignmentBody, raw).assignee


def read_reveal(raw: bytes, limits: Limits, max_bytes: int) -> list[str] | None:
    """Which pointers, None for all. Raises: InvalidJson, TooLarge, InvalidRequest."""
    read_members(raw, _around(limits, max_bytes))
    return parse_as(RevealBody, raw).pointers


def _choice(body: DecisionBody, modified_details: str | None) -> Choice:
    if (body.response is None) == (body.verdict == "respond"):
        reason = "belongs to the verdict respond" if body.response is not None else "is needed with the verdict respond"
        raise invalid([{"pointer": "/response", "message": reason}])
    match body.verdict:
        case "approve":
            return Approve(modified_details)
        case "reject":
            return Reject()
        case "respond":
            return Respond(body.response or "")


def _around(limits: Limits, max_bytes: int) -> Limits:
    """What an edit may have, and one object around it."""
    return Limits(
        max_bytes=max_bytes,
        max_string_bytes=max(limits.max_string_bytes, 4 * MAX_RESPONSE_CHARS),
        max_depth=limits.max_depth + 1,
        max_keys=limits.max_keys + len(DecisionBody.model_fields),
    )
