"""What stands beside a call: what its job has called so far, and how calls of its tool were decided last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.approval import ApprovalStatus, Verdict
from gateway.domain.json_text import Limits
from gateway.store import approvals, decisions, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision, Execution
from gateway.usecases.progress import is_held
from reviewer_ui import states
from reviewer_ui.arguments import Edit, decided_edits

CALLS_BEFORE, CALLS_AFTER = 6, 3
PRECEDENTS = 3
LOOKED_THROUGH = 20  # of a tool's last decisions, to find those in which somebody judged a call

_JUDGED = {Verdict.APPROVE, Verdict.REJECT, Verdict.RESPOND}


@dataclass(frozen=True, slots=True)
class JobCall:
    """One call of the same job. ``took_s`` is how long it ran."""

    approval: Approval
    state: states.State
    took_s: float | None
    is_this: bool


@dataclass(frozen=True, slots=True)
class JobCalls:
    """The calls around this one, in the order in which the model made them."""

    shown: Sequence[JobCall]
    earlier: int  #: how many there were before those
    later: int


@dataclass(frozen=True, slots=True)
class Precedent:
    """One decision about another call of the same tool."""

    decision: Decision
    state: states.State
    approval: Approval | None
    edits: Sequence[Edit]


def read_job_calls(session: Session, approval: Approval, now: datetime) -> JobCalls:
    """What the call's job has called, this call among it."""
    ids = approvals.ids_of_job(session, approval.job_id) if approval.job_id else [approval.id]
    here = ids.index(approval.id)
    first, end = max(0, here - CALLS_BEFORE), min(len(ids), here + CALLS_AFTER + 1)
    shown = approvals.find_heads(session, ids[first:end])
    may_have_run = [row.id for row in shown if row.status == ApprovalStatus.APPROVED]
    attempts = executions.newest(session, may_have_run) if may_have_run else {}
    calls = [_job_call(row, attempts.get(row.id), now, is_this=row.id == approval.id) for row in shown]
    return JobCalls(calls, earlier=first, later=len(ids) - end)


def read_precedents(session: Session, approval: Approval, now: datetime, limits: Limits) -> list[Precedent]:
    """The last few judgements of people about other calls of this tool, the newest first."""
    found = decisions.last_of_action(session, approval.action, LOOKED_THROUGH)
    judged = [
        row for row in found if row.verdict in _JUDGED and row.actor_kind == "person" and row.approval_id != approval.id
    ]
    of_id = {row.id: row for row in approvals.find_many(session, [row.approval_id for row in judged])}
    stands = [row for row in judged if (of := of_id.get(row.approval_id)) is None or _stands(of, row, now)]
    return [_precedent(row, of_id.get(row.approval_id), limits) for row in stands[:PRECEDENTS]]


def _job_call(row: Approval, execution: Execution | None, now: datetime, *, is_this: bool) -> JobCall:
    state = states.approval_state(row, now)
    if execution is not None and row.status == ApprovalStatus.APPROVED:
        state = states.execution_state(execution)
    ended = execution.finished_at if execution else None
    took_s = (ended - execution.started_at) / timedelta(seconds=1) if execution and ended else None
    return JobCall(row, state, took_s, is_this)


def _stands(approval: Approval, decision: Decision, now: datetime) -> bool:
    """False for what was taken back since, or still can be."""
    return approval.decision_id == decision.id and not is_held(approval, now)


def _precedent(decision: Decision, approval: Approval | None, limits: Limits) -> Precedent:
    edits = decided_edits(decision, approval, limits)
    return Precedent(decision, states.decision_state(decision), approval, edits)
