"""A store that fails, or whose word is lost: callers that try again come to the same end."""

import os

import pytest

from gateway.domain.approval import Approve
from gateway.domain.execution import Resolution
from tests.clock import SteppedDatabase
from tests.factories import answer, call, load_approvals, load_execution, load_job, tool_results
from tests.faults.flow import Flow, RoundModel
from tests.faults.life import SEEN, live
from tests.faults.plans import TRANSACTIONS, Dawdle, EachOnce, Once, Sometimes
from tests.faults.store import AFTER, BEFORE, WRITE, Faults, public_functions
from tests.rows import Ask

IS_TORTURE = os.environ.get("COUNTERSIGN_TORTURE", "") not in ("", "0")
SCHEDULES = 500 if IS_TORTURE else 5

DAWDLE_S = 0.01

#: What carries no job on: accounts, what is only shown, asking for a message again, setting up, the worker's own life.
OTHERS = {
    "approvals": {"find", "find_heads", "ids_of_job", "page", "secrets_of"},
    "deliveries": {"find", "next_due", "page", "put_off", "reopen"},
    "decisions": {"batches", "chain", "find_many", "head", "last_of_action", "of_approval", "page"},
    "events": {"of_call", "of_job"},
    "executors": {"beat", "find_alive", "remove", "remove_silent"},
    "jobs": {"find", "page"},
}
#: What programs ask carries no job on: its own retries are in tests/usecases/test_requests.py.
OTHER_MODULES = {"inbox", "migrate", "pages", "requests", "schema"}
FLOW = sorted(
    name
    for name in {*public_functions(), *TRANSACTIONS}
    if (parts := name.split("."))[0] not in OTHER_MODULES
    and parts[1] not in OTHERS.get(parts[0], set())
    and (parts[0] != "accounts" or parts[1] == "read_person")
)
NO_FAULT = Once("", BEFORE)


@pytest.mark.parametrize("kind", [BEFORE, AFTER])
def test_each_function_of_the_store_may_fail_in_each_act(
    stepped_database: SteppedDatabase, rows_of: Ask, faults: Faults, kind: str
) -> None:
    plan = EachOnce(kind, besides=TRANSACTIONS)

    live(Flow(stepped_database, rows_of, faults, plan))

    assert {name for _, name, _, _ in plan.failed} == faults.reached - set(TRANSACTIONS)
    assert len(plan.failed) > 300


@pytest.mark.parametrize("kind", [BEFORE, AFTER])
def test_each_transaction_may_fail_or_its_commit_go_unheard(
    stepped_database: SteppedDatabase, rows_of: Ask, faults: Faults, kind: str
) -> None:
    plan = EachOnce(kind, only=TRANSACTIONS)

    live(Flow(stepped_database, rows_of, faults, plan))

    assert {name for _, name, _, _ in plan.failed} == set(TRANSACTIONS)
    assert len(plan.failed) > 30


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_any_schedule_of_failures_comes_to_the_same_end(
    stepped_database: SteppedDatabase, rows_of: Ask, faults: Faults, seed: int
) -> None:
    flow = Flow(stepped_database, rows_of, faults, Sometimes(seed, probability=0.02))

    live(flow)

    assert flow.tries.total() > 0


@pytest.mark.parametrize("kind", [BEFORE, AFTER])
def test_call_that_may_not_be_repeated_is_called_once_or_in_doubt_wherever_the_store_fails(
    stepped_database: SteppedDatabase, rows_of: Ask, faults: Faults, kind: str
) -> None:
    """A claim that went unheard leaves the call in doubt, and nothing repeats it; a person's word ends the doubt."""
    assert run_one(Flow(stepped_database, rows_of, faults, NO_FAULT), NO_FAULT) == "called"
    places = sorted(faults.reached)

    ends = {name: run_one(Flow(stepped_database, rows_of, faults, NO_FAULT), Once(name, kind)) for name in places}

    # Never both: an outcome that could not be recorded is kept by the worker that has it.
    assert set(ends.values()) == {"called", "in doubt"} if kind == AFTER else {"called"}
    assert ends[WRITE] == ("called" if kind == BEFORE else "in doubt"), "the claim is the first transaction"


def run_one(flow: Flow, plan: Once) -> str:
    """An approved call is run, with a failure on the way; how it ended."""
    model = RoundModel([answer(call("pay", SEEN)), answer(text="Done.")])
    job_id = flow.submit(f"key {id(flow)}")
    flow.work(model)
    [approval] = load_approvals(flow.gateway, job_id)
    flow.decide(approval, Approve())
    flow.faults.reached.clear()
    flow.plan = plan
    flow.work(model, handler="run_call")
    reached, flow.plan = flow.faults.reached.copy(), NO_FAULT
    execution = load_execution(flow.gateway, approval.id)
    assert execution is not None
    is_in_doubt = execution.status == "unknown"
    ended = ", ".join(word for word, is_so in (("called", flow.pay.calls), ("in doubt", is_in_doubt)) if is_so)
    if is_in_doubt:
        flow.resolve(approval, Resolution.DID_NOT_RUN)
    flow.work(model)
    flow.faults.reached = reached
    assert len(flow.pay.calls) <= 1
    assert len(tool_results(flow.gateway, job_id)) == 1
    assert load_job(flow.gateway, job_id).status == "succeeded"
    return ended


@pytest.mark.parametrize("where", FLOW if IS_TORTURE else sorted({name.split(".")[0] for name in FLOW}))
def test_callers_at_the_same_time_come_to_one_end_wherever_one_of_them_dawdles(
    stepped_database: SteppedDatabase, rows_of: Ask, faults: Faults, where: str
) -> None:
    """At each function of a module, one after the other; the long form does it for each function alone."""
    names = {name for name in FLOW if where in (name, name.split(".")[0])}

    live(Flow(stepped_database, rows_of, faults, Dawdle(names, DAWDLE_S), threads=2))

    assert names <= faults.reached | only_on_postgresql(stepped_database)


def test_flow_reaches_every_function_of_the_store_that_carries_jobs_on(
    stepped_database: SteppedDatabase, rows_of: Ask, faults: Faults
) -> None:
    """A new function of the store takes part in all this, or is listed with those that carry nothing on."""
    live(Flow(stepped_database, rows_of, faults, NO_FAULT))

    assert set(FLOW) - faults.reached == only_on_postgresql(stepped_database)
    assert faults.reached <= set(FLOW)


def only_on_postgresql(database: SteppedDatabase) -> set[str]:
    """SQLite knows one process: nobody looks there for others' signs of life."""
    return {"executors.is_alive"} if database.is_sqlite else set()
