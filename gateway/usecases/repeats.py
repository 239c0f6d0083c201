"""The same call asked for again in the same job after it was rejected."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.approval import ApprovalStatus
from gateway.domain.arguments import call_sha256
from gateway.domain.shortening import shorten
from gateway.domain.storable import storable
from gateway.domain.turn import ToolCall
from gateway.errors import InvalidJson, TooLarge
from gateway.store import approvals, decisions
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases.gateway import Gateway

MAX_QUOTED_CHARS = 300


@dataclass(frozen=True, slots=True)
class Repeat:
    """A call that was rejected before, in the same job and with the same arguments."""

    action: str
    call_sha256: str
    repeat_of: str  #: id of the approval that was rejected last
    number: int  #: how many times it has been asked for again, this time included
    warning: str  #: what a reviewer should know


def find_repeats(gateway: Gateway, session: Session, job: Job, calls: Sequence[ToolCall]) -> list[Repeat | None]:
    """For each call of a turn the repeat that it is, or None. Equal calls of one turn are the same repeat.

    The newest word counts: a call that was approved or answered since its rejection is no repeat of it.
    """
    if not job.rejections:
        # The usual job: nothing to look for.
        return [None] * len(calls)
    return [_find(gateway, session, job, call) for call in calls]


def beyond_limit(job: Job, found: Sequence[Repeat | None]) -> Repeat | None:
    """The first repeat that is one too many for this job."""
    if job.max_repeats is None:
        return None
    return next((repeat for repeat in found if repeat is not None and repeat.number > job.max_repeats), None)


def keep_rejected(gateway: Gateway, job: Job, approval: Approval) -> None:
    """The rejected call is found again by ``find_repeats``. Its job's row must be locked."""
    if approval.details is not None:
        approval.call_sha256 = call_sha256(approval.action, approval.details, gateway.policy.limits)
        job.rejections += 1


def mark(approval: Approval, repeat: Repeat) -> None:
    """The new approval says which rejection it repeats."""
    approval.repeat_of, approval.repeats, approval.call_sha256 = repeat.repeat_of, repeat.number, repeat.call_sha256
    warning = {"code": "repeated_call", "path": "", "message": repeat.warning}
    approval.warnings = json.dumps([warning, *json.loads(approval.warnings)], ensure_ascii=False)


def _find(gateway: Gateway, session: Session, job: Job, call: ToolCall) -> Repeat | None:
    try:
        key = call_sha256(storable(call.name), call.arguments, gateway.policy.limits)
    except (InvalidJson, TooLarge):
        return None
    newest = approvals.newest_same(session, job.id, key)
    match newest and ApprovalStatus(newest.status):
        case None | ApprovalStatus.APPROVED | ApprovalStatus.ANSWERED:
            return None
        case ApprovalStatus.REJECTED:
            rejected = newest
        case _:
            # A repeat that expired: what it repeats was rejected all the same.
            rejected = approvals.find(session, newest.repeat_of) if newest and newest.repeat_of else None
    if newest is None or rejected is None:
        return None
    number = newest.repeats + 1
    return Repeat(call.name, key, rejected.id, number, _warning(session, rejected, number))


def _warning(session: Session, rejected: Approval, number: int) -> str:
    decision = decisions.find(session, rejected.decision_id) if rejected.decision_id else None
    if decision is None:
        return f"The same call was rejected before. This is attempt {number + 1}."
    by = decision.actor_name or "nobody in particular"
    note = f", with the note “{shorten(decision.note, MAX_QUOTED_CHARS)}”" if decision.note else ", without a note"
    return f"{by} rejected the same call on {decision.at:%Y-%m-%d at %H:%M:%S} UTC{note}. This is attempt {number + 1}."
