"""An approval's states: which changes there are, and that there are no others."""

import itertools

import pytest

from gateway.domain.approval import (
    OUTCOME_OF,
    ApprovalStatus,
    Approve,
    Reject,
    Respond,
    Verdict,
    check_transition,
    risk_of_score,
)
from gateway.errors import IllegalTransition

S = ApprovalStatus
ALLOWED = {
    (S.PENDING, S.APPROVED),
    (S.PENDING, S.REJECTED),
    (S.PENDING, S.ANSWERED),
    (S.PENDING, S.EXPIRED),
    (S.PENDING, S.CANCELLED),
    (S.APPROVED, S.PENDING),
    (S.APPROVED, S.CANCELLED),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(S, S)))
def test_only_these_changes_are_allowed(old: ApprovalStatus, new: ApprovalStatus) -> None:
    if (old, new) in ALLOWED:
        check_transition(old, new)
        return
    with pytest.raises(IllegalTransition, match=f"from {old} to {new}"):
        check_transition(old, new)


def test_what_was_refused_or_answered_stays_so() -> None:
    assert {old for old, _ in ALLOWED} == {S.PENDING, S.APPROVED}


def test_every_verdict_that_decides_has_its_outcome() -> None:
    deciding = set(Verdict) - {Verdict.EXTEND, Verdict.RESOLVE}
    assert set(OUTCOME_OF) == deciding
    for verdict, outcome in OUTCOME_OF.items():
        old = S.APPROVED if verdict is Verdict.UNDO else S.PENDING
        assert (old, outcome) in ALLOWED


def test_each_choice_knows_its_verdict() -> None:
    assert [choice.verdict for choice in (Approve(), Reject(), Respond("x"))] == ["approve", "reject", "respond"]


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (0.0, "low"),
        (0.2499, "low"),
        (0.25, "medium"),
        (0.5, "high"),
        (0.7999, "high"),
        (0.8, "critical"),
        (1.0, "critical"),
    ],
)
def test_risk_of_a_score(score: float, word: str) -> None:
    assert risk_of_score(score) == word
