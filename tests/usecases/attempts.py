"""Approved calls and what became of them, for the tests of executions."""

from gateway.store.tables import Approval
from gateway.usecases import claims
from gateway.usecases.claims import ClaimedCall
from gateway.usecases.gateway import Gateway
from tests.factories import ask, call, change_execution, decide, load_execution, make_person, run

ARGUMENTS = '{"amount": 1.50}'


def approved(gateway: Gateway, arguments: str = ARGUMENTS) -> Approval:
    [approval] = ask(gateway, call("send", arguments))
    decide(gateway, make_person(gateway), approval)
    return approval


def claimed_by_a_dead_worker(gateway: Gateway, approval: Approval) -> ClaimedCall:
    """A worker has claimed the call and died, before or after doing it."""
    claim = claims.claim_call(gateway, approval.id, 1)
    assert claim is not None
    change_execution(gateway, approval.id, executor_id="dead")
    return claim


def in_doubt(gateway: Gateway) -> tuple[Approval, ClaimedCall]:
    approval = approved(gateway)
    claim = claimed_by_a_dead_worker(gateway, approval)
    run(gateway, approval)
    return approval, claim


def state(gateway: Gateway, approval: Approval, attempt: int = 1) -> str | None:
    execution = load_execution(gateway, approval.id, attempt)
    return execution.status if execution else None
