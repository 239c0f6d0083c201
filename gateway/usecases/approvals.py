"""Deciding, undoing and expiring approvals."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.approval import (
    OUTCOME_OF,
    ApprovalStatus,
    Approve,
    Choice,
    Reject,
    Respond,
    Verdict,
    check_transition,
)
from gateway.domain.event import EventName
from gateway.domain.permission import PersonActor, is_own_request
from gateway.errors import (
    AlreadyDecided,
    Expired,
    GatewayError,
    InvalidRequest,
    NoteRequired,
    NotFound,
    NotUndoable,
    OwnRequest,
    StaleDetails,
    ToolChanged,
)
from gateway.store import approvals, calls, decisions, events
from gateway.store.decisions import Entry
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases import accounts, callbacks, describing, edits, expiring, ledger, progress, repeats
from gateway.usecases.gateway import Gateway

EXPIRE_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a reviewer says about one approval."""

    choice: Choice
    details_sha256: str  #: of the arguments that they saw
    note: str | None = None
    reason_code: str | None = None
    channel: str = "api"  #: page | api


def decide(gateway: Gateway, person: PersonActor, approval_id: str, ruling: Ruling) -> Approval:
    """The approval carries this decision, and what follows from it is queued in the same transaction.

    The same ruling again by the same person changes nothing and gives the approval as it is.

    Raises: NotFound; NotAllowed; OwnRequest; AlreadyDecided; Expired;
    StaleDetails when other arguments were seen; ToolChanged once when the
    tool's definition changed meanwhile; InvalidDetails with one entry per bad
    place; NoteRequired.
    """
    refusal: GatewayError | None = None
    with gateway.database.write() as session:
        job, approval = _locked(session, approval_id)
        decider = accounts.check_may_decide(session, person)
        now = gateway.database.now(session)
        if approval.status != ApprovalStatus.PENDING:
            _check_same_again(gateway, session, approval, decider, ruling)
            return approval
        if is_for_decider(job, approval, decider) and not gateway.policy.allow_own_requests:
            raise OwnRequest
        refusal = expiring.end_if_late(gateway, session, job, approval, now) or _rule_if_unchanged(
            gateway, session, job, approval, decider, ruling, now
        )
    # Raised after the commit: what was found out on the way stays written.
    if refusal is not None:
        raise refusal
    return approval


def undo(gateway: Gateway, person: PersonActor, approval_id: str, *, channel: str = "api") -> Approval:
    """An approval that was not released yet is pending again.

    Raises: NotFound; NotAllowed; NotUndoable once it was released, or was never approved.
    """
    with gateway.database.write() as session:
        job, approval = _locked(session, approval_id)
        decider = accounts.check_may_decide(session, person)
        now = gateway.database.now(session)
        if not progress.is_held(approval, now):
            raise _refusal_of_undo(approval)
        released_at = approval.release_at or now
        _reopen(approval)
        # The feed never told that it was approved.
        events.whisper(session, approval)
        if job is not None:
            progress.carry_on(gateway, session, job, now)
        by = ledger.by_person(decider, channel)
        decisions.append(session, [ledger.entry(approval, Verdict.UNDO, by, now)])
        # Everybody's decisions wait for each other there: by now it may be released, and told to those who asked.
        if gateway.database.now(session) >= released_at:
            raise NotUndoable
        return approval


def expire_due(gateway: Gateway) -> int:
    """What nobody decided in time has expired; how many there were."""
    with gateway.database.read() as session:
        due = approvals.due(session, gateway.database.now(session), EXPIRE_BATCH)
    for approval_id in due:
        with gateway.database.write() as session:
            job, approval = _locked(session, approval_id)
            now = gateway.database.now(session)
            if approval.status == ApprovalStatus.PENDING and approval.expires_at and approval.expires_at <= now:
                expiring.expire(gateway, session, job, approval, now)
    return len(due)


def is_for_decider(job: Job | None, approval: Approval, decider: PersonActor) -> bool:
    """True for the person for whom the call was asked, and for the one who submitted its job for somebody else."""
    submitted_by = job.submitted_by if job is not None else None
    return any(is_own_request(decider.email, person) for person in (approval.requested_for, submitted_by))


def refusal_of_decided(session: Session, approval: Approval) -> GatewayError:
    """What somebody is told who comes after the decision about this approval."""
    first = decisions.find(session, approval.decision_id) if approval.decision_id else None
    if first is None:
        return AlreadyDecided(approval_status=approval.status)
    if first.verdict == Verdict.EXPIRE:
        return Expired(expires_at=approval.expires_at.isoformat() if approval.expires_at else None)
    return AlreadyDecided(
        f"{first.actor_name or 'Somebody'} already decided this: {approval.status}.",
        decided_by=first.actor_name,
        decided_at=first.at.isoformat(),
        verdict=first.verdict,
        approval_status=approval.status,
    )


def _locked(session: Session, approval_id: str) -> tuple[Job | None, Approval]:
    job, approval = calls.lock(session, approval_id)
    if approval is None:
        raise NotFound
    return job, approval


def _refusal_of_undo(approval: Approval) -> NotUndoable:
    if approval.status == ApprovalStatus.APPROVED:
        return NotUndoable()
    if approval.status == ApprovalStatus.PENDING:
        return NotUndoable("This call waits for a decision: there is nothing to undo.")
    return NotUndoable(f"Only an approval can be undone, until it is released: this call is {approval.status}.")


def _check_same_again(
    gateway: Gateway, session: Session, approval: Approval, decider: PersonActor, ruling: Ruling
) -> None:
    first = decisions.find(session, approval.decision_id) if approval.decision_id else None
    is_same = (
        first is not None
        and first.actor_id == decider.id
        and first.verdict == ruling.choice.verdict
        and first.details_sha256 == ruling.details_sha256
        and first.effective_sha256 == edits.effective_sha256(gateway, approval, ruling.choice)
        and first.response == (ruling.choice.response if isinstance(ruling.choice, Respond) else None)
    )
    if not is_same:
        raise refusal_of_decided(session, approval)


def _tool_change(gateway: Gateway, approval: Approval) -> ToolChanged | None:
    if approval.tool_sha256 is None:
        return None  # an action that no tool of ours stands for
    tool = gateway.tools.get(approval.action)
    now_is = tool.definition if tool else None
    if now_is is not None and now_is.sha256 == approval.tool_sha256:
        return None
    after = json.loads(describing.definition_text(now_is)) if now_is else None
    before = json.loads(approval.tool_definition) if approval.tool_definition else None
    return ToolChanged(before=before, after=after)


def _take_new_definition(
    gateway: Gateway, session: Session, job: Job | None, approval: Approval, now: datetime
) -> None:
    tool = gateway.tools.get(approval.action)
    describing.note_tool_change(approval, tool.definition if tool else None, gateway.policy.limits)
    events.record(session, job, EventName.APPROVAL_CHANGED, now, approval=approval, reason_code="tool_changed")


def _rule_if_unchanged(
    gateway: Gateway,
    session: Session,
    job: Job | None,
    approval: Approval,
    decider: PersonActor,
    ruling: Ruling,
    now: datetime,
) -> ToolChanged | None:
    """The refusal when the tool is not the one that was shown, once that is written down; else the ruling counts."""
    if approval.details_sha256 != ruling.details_sha256:
        raise StaleDetails(details_sha256=approval.details_sha256)
    if isinstance(ruling.choice, Approve) and (change := _tool_change(gateway, approval)):
        _take_new_definition(gateway, session, job, approval, now)
        return change
    _rule(gateway, session, job, approval, decider, ruling, now)
    return None


def _rule(
    gateway: Gateway,
    session: Session,
    job: Job | None,
    approval: Approval,
    decider: PersonActor,
    ruling: Ruling,
    now: datetime,
) -> None:
    if approval.note_required and not (ruling.note or "").strip():
        raise NoteRequired
    choice = ruling.choice
    if isinstance(choice, Respond) and approval.job_id is None:
        raise InvalidRequest("The program that asked takes a yes or a no, and no answer in words.", field="response")
    if isinstance(choice, Approve):
        approval.modified_details = edits.checked_edit(gateway, approval, choice)
        approval.effective_sha256 = edits.effective_sha256(gateway, approval, choice)
    outcome = OUTCOME_OF[choice.verdict]
    check_transition(ApprovalStatus(approval.status), outcome)
    approval.status = outcome
    approval.decided_at = now
    approval.reason_code = ruling.reason_code
    by = ledger.by_person(decider, ruling.channel)
    response = choice.response if isinstance(choice, Respond) else None
    approval.response = response
    # The log says so whatever reason was given, which the approval keeps.
    reason_code = "own_request_allowed" if is_for_decider(job, approval, decider) else ruling.reason_code
    entry = ledger.entry(
        approval, choice.verdict, by, now, note=ruling.note, reason_code=reason_code, response=response
    )
    approval.decision_id = entry.id
    if isinstance(choice, Approve):
        hold_s = gateway.policy.undo_hold_s if ruling.channel == "page" else 0.0
        approval.release_at = now + timedelta(seconds=hold_s)
    _follow_up(gateway, session, job, approval, ruling, entry, now)
    decisions.append(session, [entry])


def _follow_up(
    gateway: Gateway,
    session: Session,
    job: Job | None,
    approval: Approval,
    ruling: Ruling,
    entry: Entry,
    now: datetime,
) -> None:
    if progress.is_held(approval, now):
        # The feed tells of it when it is released: until then every face says pending.
        events.whisper(session, approval)
    else:
        events.record(session, job, EventName.APPROVAL_DECIDED, now, approval=approval, status=approval.status)
    if job is None:
        callbacks.tell_decided(gateway, session, approval, entry, now)
        return  # whoever asked does the rest
    match ruling.choice:
        case Approve():
            delay_s = max(0.0, ((approval.release_at or now) - now).total_seconds())
            piece = progress.piece_of(now)
            gateway.engine.enqueue_run(session, approval.id, approval.attempt, piece, delay_s=delay_s)
        case Reject():
            repeats.keep_rejected(gateway, job, approval)
            progress.write_result(session, approval, gateway.wording.say_rejected(ruling.note), now)
        case Respond(response):
            progress.write_result(session, approval, response, now)
    progress.carry_on(gateway, session, job, now)


def _reopen(approval: Approval) -> None:
    check_transition(ApprovalStatus(approval.status), ApprovalStatus.PENDING)
    approval.status = ApprovalStatus.PENDING
    approval.modified_details = approval.effective_sha256 = approval.decision_id = None
    approval.decided_at = approval.release_at = approval.reason_code = None
