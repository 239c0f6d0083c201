"""Closing the open calls of a job that ends before they are decided or run."""

from datetime import datetime

from gateway.domain.approval import ApprovalStatus, Verdict, check_transition
from gateway.domain.event import EventName
from gateway.store import approvals, circuits, events, executions
from gateway.store.decisions import Entry
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases import ledger, progress
from gateway.usecases.gateway import Gateway


def close_calls(
    gateway: Gateway, session: Session, job: Job, by: ledger.By, reason_code: str, now: datetime
) -> list[Entry]:
    """What was not started is cancelled and has its tool message; the decisions to append, last of all.

    A started execution is left alone: its result is still recorded. The job's row must be locked.
    """
    # If it waits for its model, it does so no more.
    circuits.unpark(session, job.id, job.rounds + 1)
    rows = approvals.lock_round(session, job.id, job.rounds) if job.rounds else ()
    newest = executions.newest(session, [row.id for row in rows])
    claimed = {row.id for row in rows if row.id in newest and newest[row.id].attempt == row.attempt}
    entries = []
    for approval in rows:
        is_open = approval.status == ApprovalStatus.PENDING or (
            approval.status == ApprovalStatus.APPROVED and approval.id not in claimed
        )
        if is_open:
            entries.append(_close_call(gateway, session, job, approval, by, reason_code, now))
    return entries


def _close_call(
    gateway: Gateway, session: Session, job: Job, approval: Approval, by: ledger.By, reason_code: str, now: datetime
) -> Entry:
    check_transition(ApprovalStatus(approval.status), ApprovalStatus.CANCELLED)
    approval.status = ApprovalStatus.CANCELLED
    approval.decided_at = now
    approval.release_at = None
    entry = ledger.entry(approval, Verdict.CANCEL, by, now, reason_code=reason_code)
    approval.decision_id = entry.id
    events.record(session, job, EventName.APPROVAL_CANCELLED, now, approval=approval)
    progress.write_result(session, approval, gateway.wording.cancelled, now)
    return entry
