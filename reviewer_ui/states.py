"""What a state is called on the pages, with its icon: never colour alone."""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.approval import ApprovalStatus, Verdict
from gateway.domain.execution import ExecutionStatus
from gateway.domain.job import JobStatus
from gateway.store.tables import Approval, Decision, Execution, Job
from gateway.usecases.progress import is_held
from reviewer_ui.reasons import REASONS


@dataclass(frozen=True, slots=True)
class State:
    """A chip: ``look`` is its class in the style sheet."""

    look: str
    icon: str
    word: str


PENDING = State("pending", "clock", "Pending")
APPROVED = State("approved", "check", "Approved")
EDITED = State("edited", "pencil", "Approved with edits")
REJECTED = State("rejected", "x", "Rejected")
ANSWERED = State("answered", "message-square", "Answered by a reviewer")
EXPIRED = State("expired", "hourglass", "Expired")
CANCELLED = State("expired", "ban", "Cancelled")
EXECUTING = State("executing", "loader-circle", "Executing")
EXECUTED = State("executed", "circle-check", "Executed")
FAILED = State("failed", "triangle-alert", "Failed")
IN_DOUBT = State("doubt", "circle-help", "In doubt")

_OF_STATUS = {
    ApprovalStatus.PENDING: PENDING,
    ApprovalStatus.APPROVED: APPROVED,
    ApprovalStatus.REJECTED: REJECTED,
    ApprovalStatus.ANSWERED: ANSWERED,
    ApprovalStatus.EXPIRED: EXPIRED,
    ApprovalStatus.CANCELLED: CANCELLED,
}
_OF_EXECUTION = {
    ExecutionStatus.STARTED: EXECUTING,
    ExecutionStatus.SUCCEEDED: EXECUTED,
    ExecutionStatus.FAILED: FAILED,
    ExecutionStatus.UNKNOWN: IN_DOUBT,
}
_OF_VERDICT = {
    Verdict.APPROVE: APPROVED,
    Verdict.REJECT: REJECTED,
    Verdict.RESPOND: ANSWERED,
    Verdict.EXPIRE: EXPIRED,
    Verdict.CANCEL: CANCELLED,
    Verdict.UNDO: State("pending", "undo-2", "Pending again"),
    Verdict.EXTEND: State("pending", "timer", "Given more time"),
    Verdict.RESOLVE: State("answered", "circle-check", "Doubt settled"),
}
_OF_JOB = {
    JobStatus.QUEUED: State("expired", "clock", "Queued"),
    JobStatus.RUNNING: State("executing", "loader-circle", "Running"),
    JobStatus.WAITING: State("pending", "clock", "Waiting for a person"),
    JobStatus.SUCCEEDED: State("executed", "circle-check", "Succeeded"),
    JobStatus.FAILED: State("failed", "triangle-alert", "Failed"),
    JobStatus.CANCELLED: CANCELLED,
}


#: What the log keeps as a code, in words.
_REASONS = {
    **REASONS,
    "expired": "Nobody decided in time",
    "tool_setting": "By the tool's setting",
    "tool_changed": "The tool had changed",
    "unknown_tool": "There is no such tool",
    "invalid_json": "The arguments could not be read",
    "too_large": "The arguments were too large",
    "permission_deny": "The job may not ask",
    "own_request_allowed": "Asked for themselves, which the settings allow",
    "ran": "It ran",
    "did_not_run": "It did not run",
    "run_again": "It is to run again",
}


def reason(code: str) -> str:
    """The words for a reason; a code that is nobody's of ours as it is."""
    return _REASONS.get(code, code)


def approval_state(approval: Approval, now: datetime) -> State:
    """Until its release an approval is shown as pending, and so is it everywhere else."""
    if is_held(approval, now):
        return PENDING
    if is_past_deciding(approval, now):
        return EXPIRED
    if approval.status == ApprovalStatus.APPROVED and approval.modified_details is not None:
        return EDITED
    return _OF_STATUS[ApprovalStatus(approval.status)]


def is_past_deciding(approval: Approval, now: datetime) -> bool:
    """True when nobody decided in time, whether or not that was written down yet."""
    is_over = approval.expires_at is not None and approval.expires_at <= now
    return approval.status == ApprovalStatus.PENDING and is_over


def execution_state(execution: Execution) -> State:
    return _OF_EXECUTION[ExecutionStatus(execution.status)]


def decision_state(decision: Decision) -> State:
    if decision.verdict == Verdict.APPROVE and decision.modified_details is not None:
        return EDITED
    return _OF_VERDICT[Verdict(decision.verdict)]


def job_state(job: Job) -> State:
    return _OF_JOB[JobStatus(job.status)]
