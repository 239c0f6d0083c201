"""An execution is one attempt to run an approved call; its states."""

from enum import StrEnum

from gateway.errors import IllegalTransition


class ExecutionStatus(StrEnum):
    STARTED = "started"  #: claimed: the call may be happening now
    SUCCEEDED = "succeeded"  #: it ran and gave a result
    FAILED = "failed"  #: it did not run, or reported an error
    UNKNOWN = "unknown"  #: it may have run: a person looks, then settles it


ALLOWED_TRANSITIONS: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    ExecutionStatus.STARTED: frozenset({ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.UNKNOWN}),
    # Settled by a person, or by a finisher that comes late.
    ExecutionStatus.UNKNOWN: frozenset({ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED}),
    ExecutionStatus.SUCCEEDED: frozenset(),
    ExecutionStatus.FAILED: frozenset(),
}


class Resolution(StrEnum):
    """What a person found out about a call whose outcome was in doubt."""

    RAN = "ran"
    DID_NOT_RUN = "did_not_run"
    RUN_AGAIN = "run_again"


def check_transition(old: ExecutionStatus, new: ExecutionStatus) -> None:
    """Raises: IllegalTransition unless an execution may go from ``old`` to ``new``."""
    if new not in ALLOWED_TRANSITIONS[old]:
        raise IllegalTransition(f"An execution cannot go from {old} to {new}.")
