"""A job's states, and what comes next in it for every mix of calls."""

import itertools

import pytest

from gateway.domain.approval import ApprovalStatus
from gateway.domain.execution import ExecutionStatus
from gateway.domain.job import AwaitPeople, AwaitTools, Call, CallModel, JobStatus, check_transition, next_step
from gateway.errors import IllegalTransition

S = JobStatus
ALLOWED = {
    (S.QUEUED, S.RUNNING),
    (S.QUEUED, S.FAILED),
    (S.QUEUED, S.CANCELLED),
    (S.RUNNING, S.WAITING),
    (S.RUNNING, S.SUCCEEDED),
    (S.RUNNING, S.FAILED),
    (S.RUNNING, S.CANCELLED),
    (S.WAITING, S.RUNNING),
    (S.WAITING, S.FAILED),
    (S.WAITING, S.CANCELLED),
}

#: Every state in which a call can be found, and who is awaited in it.
CALLS = {
    "pending": (Call(ApprovalStatus.PENDING, None, is_held=False, has_result=False), "people"),
    "held": (Call(ApprovalStatus.APPROVED, None, is_held=True, has_result=False), "people"),
    "approved": (Call(ApprovalStatus.APPROVED, None, is_held=False, has_result=False), "tools"),
    "started": (Call(ApprovalStatus.APPROVED, ExecutionStatus.STARTED, is_held=False, has_result=False), "tools"),
    "in doubt": (Call(ApprovalStatus.APPROVED, ExecutionStatus.UNKNOWN, is_held=False, has_result=False), "people"),
    "to run again": (Call(ApprovalStatus.APPROVED, ExecutionStatus.FAILED, is_held=False, has_result=False), "tools"),
    "succeeded": (Call(ApprovalStatus.APPROVED, ExecutionStatus.SUCCEEDED, is_held=False, has_result=True), "nobody"),
    "failed": (Call(ApprovalStatus.APPROVED, ExecutionStatus.FAILED, is_held=False, has_result=True), "nobody"),
    "rejected": (Call(ApprovalStatus.REJECTED, None, is_held=False, has_result=True), "nobody"),
    "answered": (Call(ApprovalStatus.ANSWERED, None, is_held=False, has_result=True), "nobody"),
    "expired": (Call(ApprovalStatus.EXPIRED, None, is_held=False, has_result=True), "nobody"),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(S, S)))
def test_only_these_changes_are_allowed(old: JobStatus, new: JobStatus) -> None:
    if (old, new) in ALLOWED:
        check_transition(old, new)
        return
    with pytest.raises(IllegalTransition, match=f"from {old} to {new}"):
        check_transition(old, new)


def test_final_states_are_those_that_nothing_follows() -> None:
    for status in S:
        assert status.is_final == (status not in {old for old, _ in ALLOWED})


def test_new_job_calls_the_model() -> None:
    assert next_step(0, ()) == CallModel(round=1)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_next_step_of_every_mix_of_calls(size: int) -> None:
    for names in itertools.product(CALLS, repeat=size):
        awaited = {CALLS[name][1] for name in names}
        step = next_step(4, [CALLS[name][0] for name in names])
        if "people" in awaited:
            assert step == AwaitPeople(), names
        elif "tools" in awaited:
            assert step == AwaitTools(), names
        else:
            assert step == CallModel(round=5), names
