"""Giving a call more time to be decided."""

from datetime import datetime

from gateway.domain.approval import ApprovalStatus, Verdict
from gateway.domain.event import EventName
from gateway.domain.expiry import MAX_AHEAD, warning_time
from gateway.domain.permission import PersonActor
from gateway.errors import GatewayError, InvalidRequest, NotFound, OwnRequest
from gateway.store import calls, decisions, events
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases import accounts, approvals, expiring, ledger
from gateway.usecases.gateway import Gateway


def extend(
    gateway: Gateway, person: PersonActor, approval_id: str, expires_at: datetime, *, channel: str = "api"
) -> Approval:
    """The pending call can be decided until ``expires_at``, and the log says who gave it that time.

    The time that it has already changes nothing. Raises: NotFound; NotAllowed;
    OwnRequest; Expired when it was too late; AlreadyDecided; InvalidRequest
    for a time that is not later, or too late.
    """
    refusal: GatewayError | None = None
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        if approval is None:
            raise NotFound
        decider = accounts.check_may_decide(session, person)
        if approval.status != ApprovalStatus.PENDING:
            raise approvals.refusal_of_decided(session, approval)
        if approvals.is_for_decider(job, approval, decider) and not gateway.policy.allow_own_requests:
            raise OwnRequest
        now = gateway.database.now(session)
        refusal = expiring.end_if_late(gateway, session, job, approval, now)
        if refusal is None and expires_at != approval.expires_at:
            _check_time(approval, expires_at, now)
            _give_time(gateway, session, job, approval, expires_at, ledger.by_person(decider, channel), now)
    # Raised after the commit: that it was too late stays written.
    if refusal is not None:
        raise refusal
    return approval


def _check_time(approval: Approval, expires_at: datetime, now: datetime) -> None:
    if expires_at <= now:
        reason = "must be in the future"
    elif approval.expires_at is not None and expires_at < approval.expires_at:
        reason = f"must be later than the present one, {approval.expires_at.isoformat()}"
    elif expires_at > now + MAX_AHEAD:
        reason = f"must be at most {MAX_AHEAD.days} days from now"
    else:
        return
    raise InvalidRequest(f"The time of expiry {reason}.", errors=[{"pointer": "/expires_at", "message": reason}])


def _give_time(
    gateway: Gateway,
    session: Session,
    job: Job | None,
    approval: Approval,
    expires_at: datetime,
    by: ledger.By,
    now: datetime,
) -> None:
    before, until = approval.expires_at, expires_at.isoformat()
    note = f"Until {until} instead of {before.isoformat()}." if before else f"Until {until}."
    approval.expires_at = expires_at
    approval.warn_at = warning_time(now, expires_at, gateway.policy.expiry_warning_share)
    if job is not None:
        events.record(
            session, job, EventName.APPROVAL_EXTENDED, now, approval=approval, expires_at=until, by=by.name
        )  # fmt: skip
    decisions.append(session, [ledger.entry(approval, Verdict.EXTEND, by, now, note=note)])
