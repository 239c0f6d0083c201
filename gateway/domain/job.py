"""A job's states and what comes next in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.approval import ApprovalStatus
from gateway.domain.execution import ExecutionStatus
from gateway.errors import IllegalTransition


class JobStatus(StrEnum):
    QUEUED = "queued"  #: submitted, nothing was done yet
    RUNNING = "running"  #: the model or a tool is being called, or will be without anybody's doing
    WAITING = "waiting"  #: people are awaited
    SUCCEEDED = "succeeded"  #: the model gave its last answer
    FAILED = "failed"  #: ended by an error, which the job names
    CANCELLED = "cancelled"  #: ended by its app or a person

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})

ALLOWED_TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset({JobStatus.WAITING, *FINAL}),
    JobStatus.WAITING: frozenset({JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


def check_transition(old: JobStatus, new: JobStatus) -> None:
    """Raises: IllegalTransition unless a job may go from ``old`` to ``new``."""
    if new not in ALLOWED_TRANSITIONS[old]:
        raise IllegalTransition(f"A job cannot go from {old} to {new}.")


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of one tool call of the newest turn."""

    status: ApprovalStatus
    execution: ExecutionStatus | None
    is_held: bool  #: approved, but not released yet: it can still be undone
    has_result: bool  #: its tool message is written

    @property
    def is_to_run(self) -> bool:
        """True for an approved call that nobody has begun to run."""
        return self.status is ApprovalStatus.APPROVED and self.execution is None and not self.has_result


@dataclass(frozen=True, slots=True)
class CallModel:
    """The next thing is a model call: this round of the job."""

    round: int


@dataclass(frozen=True, slots=True)
class AwaitPeople:
    """The job waits as rows until somebody decides or resolves."""


@dataclass(frozen=True, slots=True)
class AwaitTools:
    """Approved calls run, or are about to; whoever records the last result goes on."""


NextStep = CallModel | AwaitPeople | AwaitTools


def next_step(rounds: int, calls: Sequence[Call]) -> NextStep:
    """What an unfinished job needs next, after ``rounds`` answered model calls.

    ``calls`` are the tool calls of the newest turn: none before the first one.
    """
    if any(_awaits_people(call) for call in calls):
        return AwaitPeople()
    if all(call.has_result for call in calls):
        return CallModel(round=rounds + 1)
    return AwaitTools()


def _awaits_people(call: Call) -> bool:
    if call.has_result:
        return False
    return call.status is ApprovalStatus.PENDING or call.is_held or call.execution is ExecutionStatus.UNKNOWN
