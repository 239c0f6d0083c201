"""An approval in Cheqpoint's words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from gateway.api.answers import spliced
from gateway.api.approval_view import shown_status
from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus
from gateway.domain.json_text import dump_literal, parse_literal
from gateway.store import decisions
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision
from gateway.web.address import Site

#: Its clients know three states, and poll on at every other word.
_STATES = {ApprovalStatus.PENDING: "PENDING", ApprovalStatus.APPROVED: "APPROVED"}
_REJECTED = "REJECTED"

_EXPIRED = "No decision was made in time. It was not approved."
_CANCELLED = "The request was cancelled. It was not approved."
_USE_THESE = "The reviewer changed the arguments. Go on with exactly these: "


class RequestView(BaseModel):
    """A request and what became of it. Its two note fields are for two generations of clients."""

    id: str
    approvalId: str
    status: str = Field(description="PENDING, APPROVED or REJECTED; from `inbound` in lower case")
    action: str
    summary: str
    riskScore: float | None
    details: dict[str, Any] = Field(description="As sent, character for character")
    modifiedDetails: dict[str, Any] | None = Field(
        description="What the reviewer approved instead; null: as sent. {} is an edit"
    )
    responseNotes: str | None = Field(description="The reviewer's note, and an edit in words")
    decisionNote: str | None = Field(description="The reviewer's note")
    decisionReasonCode: str | None
    autoDecided: bool
    autoDecisionRuleName: str | None
    decidedAt: datetime | None
    retryable: bool = Field(description="Nobody decided: the same may be asked again")
    createdAt: datetime
    expiresAt: datetime | None
    reviewUrl: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be told of an approval by now: nothing before its release."""

    state: str  #: PENDING | APPROVED | REJECTED
    decision: Decision | None
    modified_details: str | None
    is_retryable: bool


def read_decided(session: Session, row: Approval, now: datetime) -> Decided:
    state = _STATES.get(ApprovalStatus(shown_status(row, now)), _REJECTED)
    if state == "PENDING":
        return Decided(state, None, None, is_retryable=False)
    decision = decisions.find(session, row.decision_id) if row.decision_id else None
    is_nobodys = row.status in {ApprovalStatus.EXPIRED, ApprovalStatus.CANCELLED}
    return Decided(state, decision, row.modified_details, is_retryable=is_nobodys or row.retryable)


def view_request(row: Approval, decided: Decided, site: Site) -> dict[str, Any]:
    """What ``GET /api/approvals/{id}`` answers.

    The asking program acts on it: ``details`` and ``modifiedDetails`` are the exact texts, secrets and all.
    """
    decision = decided.decision
    return {
        "id": row.id,
        "approvalId": row.id,
        "status": decided.state,
        "action": row.action,
        "summary": row.summary,
        "riskScore": row.risk_score,
        "details": spliced(row.details),
        "modifiedDetails": spliced(decided.modified_details),
        "responseNotes": _notes(row, decided),
        "decisionNote": _note(row, decided),
        "decisionReasonCode": decision.reason_code if decision else None,
        "autoDecided": bool(decision and row.auto_decided),
        "autoDecisionRuleName": decision.actor_name if decision and row.auto_decided else None,
        "decidedAt": decision.at if decision else None,
        "retryable": decided.is_retryable,
        "createdAt": row.created_at,
        "expiresAt": row.expires_at,
        "reviewUrl": site.review_url(row.id),
    }


def view_inbound(row: Approval, decided: Decided, site: Site) -> dict[str, Any]:
    """What ``POST /api/webhooks/inbound`` answers: the same with the state in lower case."""
    return {**view_request(row, decided, site), "status": decided.state.lower()}


def _note(row: Approval, decided: Decided) -> str | None:
    """What the reviewer wrote, or why nobody decided."""
    if decided.decision is not None and decided.decision.note:
        return decided.decision.note
    return {ApprovalStatus.EXPIRED: _EXPIRED, ApprovalStatus.CANCELLED: _CANCELLED}.get(ApprovalStatus(row.status))


def _notes(row: Approval, decided: Decided) -> str | None:
    """The same, and an edit in words: the tools for LangChain, LangGraph and CrewAI hand on nothing else of it."""
    note = _note(row, decided)
    if decided.modified_details is None:
        return note
    shown = secret_places.masked(decided.modified_details, secret_places.read(row.secrets))
    in_words = f"{_USE_THESE}{dump_literal(parse_literal(shown))}"
    return f"{note}\n\n{in_words}" if note else in_words
