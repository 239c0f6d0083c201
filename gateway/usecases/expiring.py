"""What happens to calls that nobody decides: a warning shortly before their time is over, and the end of it."""

from datetime import datetime

from gateway.domain.approval import ApprovalStatus, Verdict, check_transition
from gateway.domain.event import EventName
from gateway.errors import AlreadyDecided, Expired, GatewayError
from gateway.store import approvals, calls, decisions, events
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases import callbacks, deadlines, ledger, progress
from gateway.usecases.gateway import Gateway

BATCH = 100


def warn_due(gateway: Gateway) -> int:
    """Of each pending call whose time is nearly over an event says so, once; how many were looked at."""
    with gateway.database.read() as session:
        due = approvals.to_warn_of(session, gateway.database.now(session), BATCH)
    for approval_id in due:
        with gateway.database.write() as session:
            job, approval = calls.lock(session, approval_id)
            now = gateway.database.now(session)
            if approval is not None and approval.status == ApprovalStatus.PENDING:
                _warn(session, job, approval, now)
    return len(due)


def expire(gateway: Gateway, session: Session, job: Job | None, approval: Approval, now: datetime) -> None:
    """The pending call has expired, its model is told so, and its job goes on. Both rows must be locked."""
    check_transition(ApprovalStatus(approval.status), ApprovalStatus.EXPIRED)
    approval.status = ApprovalStatus.EXPIRED
    approval.decided_at = now
    approval.retryable = True
    entry = ledger.entry(approval, Verdict.EXPIRE, ledger.SYSTEM, now, reason_code="expired")
    approval.decision_id = entry.id
    events.record(session, job, EventName.APPROVAL_EXPIRED, now, approval=approval)
    callbacks.tell_decided(gateway, session, approval, entry, now)
    if job is not None:
        progress.write_result(session, approval, gateway.wording.expired, now)
        progress.carry_on(gateway, session, job, now)
    decisions.append(session, [entry])


def end_if_late(
    gateway: Gateway, session: Session, job: Job | None, approval: Approval, now: datetime
) -> GatewayError | None:
    """The refusal for a pending call that is too late to decide, once that is written down; None in time."""
    if job is not None and deadlines.is_overdue(job, now):
        deadlines.end_at_deadline(gateway, session, job, now)
        return AlreadyDecided(
            "The deadline of its job has passed: the call is cancelled.", approval_status=approval.status
        )
    if approval.expires_at is not None and approval.expires_at <= now:
        expire(gateway, session, job, approval, now)
        return Expired(expires_at=approval.expires_at.isoformat())
    return None


def _warn(session: Session, job: Job | None, approval: Approval, now: datetime) -> None:
    expires_at = approval.expires_at
    if approval.warn_at is None or approval.warn_at > now or expires_at is None:
        return
    approval.warn_at = None
    if expires_at > now:
        events.record(
            session, job, EventName.APPROVAL_EXPIRING, now, approval=approval, expires_at=expires_at.isoformat()
        )
