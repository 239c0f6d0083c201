"""An approval's states, and the verdicts that move it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import IllegalTransition


class ApprovalStatus(StrEnum):
    PENDING = "pending"  #: waiting for a reviewer
    APPROVED = "approved"  #: may run, with exactly the decided bytes
    REJECTED = "rejected"  #: will not run
    ANSWERED = "answered"  #: a reviewer responded in the tool's place; nothing runs
    EXPIRED = "expired"  #: nobody decided in time; nothing runs
    CANCELLED = "cancelled"  #: its job was cancelled before it ran


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    RESPOND = "respond"
    EXPIRE = "expire"
    CANCEL = "cancel"
    UNDO = "undo"
    EXTEND = "extend"
    RESOLVE = "resolve"


ALLOWED_TRANSITIONS: dict[ApprovalStatus, frozenset[ApprovalStatus]] = {
    ApprovalStatus.PENDING: frozenset(set(ApprovalStatus) - {ApprovalStatus.PENDING}),
    # To pending: by undo before release, or when the tool changed. To cancelled: with its job. Both before the claim.
    ApprovalStatus.APPROVED: frozenset({ApprovalStatus.PENDING, ApprovalStatus.CANCELLED}),
    ApprovalStatus.REJECTED: frozenset(),
    ApprovalStatus.ANSWERED: frozenset(),
    ApprovalStatus.EXPIRED: frozenset(),
    ApprovalStatus.CANCELLED: frozenset(),
}

OUTCOME_OF: dict[Verdict, ApprovalStatus] = {
    Verdict.APPROVE: ApprovalStatus.APPROVED,
    Verdict.REJECT: ApprovalStatus.REJECTED,
    Verdict.RESPOND: ApprovalStatus.ANSWERED,
    Verdict.EXPIRE: ApprovalStatus.EXPIRED,
    Verdict.CANCEL: ApprovalStatus.CANCELLED,
    Verdict.UNDO: ApprovalStatus.PENDING,
}


def check_transition(old: ApprovalStatus, new: ApprovalStatus) -> None:
    """Raises: IllegalTransition unless an approval may go from ``old`` to ``new``."""
    if new not in ALLOWED_TRANSITIONS[old]:
        raise IllegalTransition(f"An approval cannot go from {old} to {new}.")


def is_held(status: str, release_at: datetime | None, now: datetime) -> bool:
    """True between an approval and its release: it can be undone, and every face still says pending."""
    return status == ApprovalStatus.APPROVED and release_at is not None and release_at > now


@dataclass(frozen=True, slots=True)
class Approve:
    """Run the call, with ``modified_details`` (exact JSON text) in the arguments' place if given."""

    modified_details: str | None = None
    verdict = Verdict.APPROVE


@dataclass(frozen=True, slots=True)
class Reject:
    """Do not run the call."""

    verdict = Verdict.REJECT


@dataclass(frozen=True, slots=True)
class Respond:
    """Give the model this text as the call's result; nothing runs."""

    response: str
    verdict = Verdict.RESPOND


Choice = Approve | Reject | Respond


def risk_of_score(score: float) -> str:
    """The word for a risk score between 0 and 1."""
    for limit, word in ((0.25, "low"), (0.5, "medium"), (0.8, "high")):
        if score < limit:
            return word
    return "critical"


def higher_risk(one: str, other: str) -> str:
    """The graver one of two risks."""
    return max(one, other, key=_RISKS.index)


_RISKS = ("low", "medium", "high", "critical")


def may_be_approved_together(risk: str) -> bool:
    """True for a risk low enough that several calls may be approved with one click."""
    return risk in {"low", "medium"}
