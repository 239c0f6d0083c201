"""The names of what can happen: a subject, a dot, a past verb."""

from enum import StrEnum


class EventName(StrEnum):
    JOB_SUBMITTED = "job.submitted"
    JOB_STARTED = "job.started"
    JOB_PARKED = "job.parked"  #: people are awaited from here on
    JOB_RESUMED = "job.resumed"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    TURN_ANSWERED = "turn.answered"  #: the model answered
    TURN_DELAYED = "turn.delayed"  #: the model could not be asked; another attempt follows
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_DECIDED = "approval.decided"
    APPROVAL_EXPIRING = "approval.expiring"  #: little of its time for deciding is left
    APPROVAL_EXTENDED = "approval.extended"  #: a person gave it more time
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_CANCELLED = "approval.cancelled"
    APPROVAL_REOPENED = "approval.reopened"  #: pending again: undone, or the tool changed
    APPROVAL_CHANGED = "approval.changed"  #: still pending, with another definition of its tool
    APPROVAL_ASSIGNED = "approval.assigned"  #: a person took it, gave it to another, or gave it back
    APPROVAL_REVEALED = "approval.revealed"  #: a person has seen a secret among its arguments
    EXECUTION_STARTED = "execution.started"
    EXECUTION_SUCCEEDED = "execution.succeeded"
    EXECUTION_FAILED = "execution.failed"
    EXECUTION_DOUBTED = "execution.doubted"  #: it may have run: a person must look
    EXECUTION_RESOLVED = "execution.resolved"  #: a person settled it
    EXECUTION_FINISHED_LATE = "execution.finished_late"  #: the outcome came after somebody had settled it
