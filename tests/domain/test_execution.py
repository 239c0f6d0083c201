"""An execution's states."""

import itertools

import pytest

from gateway.domain.execution import ExecutionStatus, Resolution, check_transition
from gateway.errors import IllegalTransition

S = ExecutionStatus
ALLOWED = {
    (S.STARTED, S.SUCCEEDED),
    (S.STARTED, S.FAILED),
    (S.STARTED, S.UNKNOWN),
    (S.UNKNOWN, S.SUCCEEDED),
    (S.UNKNOWN, S.FAILED),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(S, S)))
def test_only_these_changes_are_allowed(old: ExecutionStatus, new: ExecutionStatus) -> None:
    if (old, new) in ALLOWED:
        check_transition(old, new)
        return
    with pytest.raises(IllegalTransition, match=f"from {old} to {new}"):
        check_transition(old, new)


def test_a_person_can_say_three_things_about_a_doubt() -> None:
    assert [resolution.value for resolution in Resolution] == ["ran", "did_not_run", "run_again"]
