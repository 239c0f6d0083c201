"""A request and its decision in Cheqpoint's words: what its face answers, and what callbacks tell."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus
from gateway.domain.json_text import dump_literal, parse_literal
from gateway.store import decisions
from gateway.store.decisions import Entry
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision
from gateway.usecases.showing import shown_status, spliced

ORIGIN = "cheqpoint"

#: Its clients know three states, and poll on at every other word.
_STATES = {ApprovalStatus.PENDING: "PENDING", ApprovalStatus.APPROVED: "APPROVED"}
_REJECTED = "REJECTED"

_EXPIRED = "No decision was made in time. It was not approved."
_CANCELLED = "The request was cancelled. It was not approved."
_HIDDEN = " (•••• hides a secret: it is the one of the request, unless modifiedDetails says otherwise)"
_USE_THESE = "The reviewer changed the arguments. Go on with exactly these: "


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be told of an approval by now: nothing before its release."""

    state: str  #: PENDING | APPROVED | REJECTED
    decision: Decision | Entry | None
    modified_details: str | None
    is_retryable: bool


def read_decided(session: Session, row: Approval, now: datetime) -> Decided:
    state = _STATES.get(ApprovalStatus(shown_status(row, now)), _REJECTED)
    if state == "PENDING":
        return Decided(state, None, None, is_retryable=False)
    return decided_by(row, decisions.find(session, row.decision_id) if row.decision_id else None)


def decided_by(row: Approval, decision: Decision | Entry | None) -> Decided:
    """What this decision has made of it, once it is released."""
    is_nobodys = row.status in {ApprovalStatus.EXPIRED, ApprovalStatus.CANCELLED}
    state = _STATES.get(ApprovalStatus(row.status), _REJECTED)
    return Decided(state, decision, row.modified_details, is_retryable=is_nobodys or row.retryable)


def view_request(row: Approval, decided: Decided, review_url: str | None) -> dict[str, Any]:
    """A request and what became of it, for ``showing.dump``.

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
        "reviewUrl": review_url,
    }


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
    # A model may read this: modifiedDetails, for the program, has the secrets.
    secrets = secret_places.read(row.secrets)
    shown = secret_places.masked(decided.modified_details, secrets)
    in_words = f"{_USE_THESE}{dump_literal(parse_literal(shown))}{_HIDDEN if shown != decided.modified_details else ''}"
    return f"{note}\n\n{in_words}" if note else in_words
