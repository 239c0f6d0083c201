"""Many at once: one decision, one claim, one job, one chain."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gateway.domain.approval import Approve, Choice, Reject, Respond
from gateway.errors import GatewayError
from gateway.runner.worker import Worker
from gateway.store import executors
from gateway.store.session import Database
from gateway.tools.base import CallContext, Ran
from gateway.usecases import approvals, audit, turns
from tests.factories import (
    ask,
    call,
    decide,
    event_names,
    load_approval,
    load_decisions,
    load_job,
    make_app,
    make_gateway,
    make_person,
    run,
    submit,
    tool_results,
)
from tests.fakes import RecordingTool, ScriptedModel

DECIDERS = 50
ROUNDS = 10


def all_at_once(actions: list[Callable[[], object]]) -> list[str]:
    """How each action ended: ``ok``, or the code of its refusal."""
    ready = threading.Barrier(len(actions))

    def act(action: Callable[[], object]) -> str:
        ready.wait()
        try:
            action()
        except GatewayError as error:
            return error.code
        return "ok"

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(act, actions))


def test_of_fifty_deciders_exactly_one_decides(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    people = [make_person(gateway) for _ in range(DECIDERS)]
    choices: list[Choice] = [Approve(), Reject(), Respond("x"), Approve('{"a": 1}')]

    for _ in range(ROUNDS):
        [approval] = ask(gateway, call("send"))
        ends = all_at_once(
            [
                lambda person=person, choice=choices[n % 4], approval=approval: decide(
                    gateway, person, approval, choice
                )  # type: ignore[misc]
                for n, person in enumerate(people)
            ]
        )

        assert Counter(ends) == {"ok": 1, "already_decided": DECIDERS - 1}
        [row] = load_decisions(gateway, approval.id)
        winner = people[ends.index("ok")]
        assert row.actor_id == winner.id
        assert load_approval(gateway, approval.id).decision_id == row.id
        assert event_names(gateway, approval.job_id or "").count("approval.decided") == 1
    assert audit.verify(gateway).break_ is None


def test_one_person_deciding_in_fifty_tabs_decides_once(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    person = make_person(gateway)
    [approval] = ask(gateway, call("send"))

    ends = all_at_once(
        [
            lambda n=n: decide(gateway, person, approval, Approve() if n % 2 else Reject())  # type: ignore[misc]
            for n in range(DECIDERS)
        ]
    )

    # The verdict that won is the same decision for every tab that gave it.
    assert Counter(ends) == {"ok": DECIDERS // 2, "already_decided": DECIDERS // 2}
    assert len(load_decisions(gateway, approval.id)) == 1


def test_undoing_and_running_at_once_has_one_winner(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, undo_hold_s=0.02)
    person = make_person(gateway)
    for _ in range(ROUNDS):
        [approval] = ask(gateway, call("send"))
        decide(gateway, person, approval, channel="page")
        tool.calls.clear()

        def undo(approval_id: str = approval.id) -> None:
            approvals.undo(gateway, person, approval_id)

        def work(waiting: object = approval) -> None:
            for _ in range(20):
                run(gateway, waiting)  # type: ignore[arg-type]

        ends = all_at_once([undo, work])

        is_undone = ends[0] == "ok"
        assert len(tool.calls) == (0 if is_undone else 1)
        assert load_approval(gateway, approval.id).status == ("pending" if is_undone else "approved")


def test_call_that_many_threads_of_a_worker_take_runs_once(database: Database) -> None:
    tool = slow_tool()
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval)
    worker = Worker(gateway, ScriptedModel())

    all_at_once([lambda: worker.run_call(approval.id, 1)] * 10)

    assert len(tool.calls) == 1
    assert tool_results(gateway, approval.job_id or "") == ["sent"]


def test_call_that_many_live_workers_take_runs_once(postgres_database: Database) -> None:
    tool = slow_tool()
    gateways = [make_gateway(postgres_database, tool) for _ in range(5)]
    for gateway in gateways:
        with postgres_database.write() as session:
            executors.beat(session, gateway.engine.executor_id, postgres_database.now(session))
    approvals_ = ask(gateways[0], *(call("send") for _ in range(3)))
    for approval in approvals_:
        decide(gateways[0], make_person(gateways[0]), approval)

    all_at_once([lambda g=g, one=one: run(g, one) for g in gateways for one in approvals_])  # type: ignore[misc]

    assert Counter(context.approval_id for context in tool.calls) == {one.id: 1 for one in approvals_}
    assert tool_results(gateways[0], approvals_[0].job_id or "") == ["sent"] * 3


def slow_tool() -> RecordingTool:
    def send(_: CallContext) -> Ran:
        time.sleep(0.05)
        return Ran("sent")

    return RecordingTool(outcome=send)


def test_siblings_decided_at_once_queue_the_next_model_call_once(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    people = [make_person(gateway) for _ in range(8)]
    siblings = ask(gateway, *(call("send") for _ in range(8)))
    job_id = siblings[0].job_id or ""

    ends = all_at_once(
        [
            lambda person=person, one=one: decide(gateway, person, one, Reject())  # type: ignore[misc]
            for person, one in zip(people, siblings, strict=True)
        ]
    )

    assert ends == ["ok"] * 8
    assert tool_results(gateway, job_id) == ["Action rejected: blocked by reviewer"] * 8
    assert event_names(gateway, job_id).count("job.resumed") == 1
    claims = [turns.claim_turn(gateway, job_id)]
    assert claims[0] is not None
    assert claims[0].round == 2


def test_twenty_submissions_with_one_key_make_one_job(database: Database) -> None:
    gateway, app = make_gateway(database), make_app()
    found: list[str] = []

    ends = all_at_once([lambda: found.append(submit(gateway, app, idempotency_key="k").job.id)] * 20)

    assert ends == ["ok"] * 20
    assert len(set(found)) == 1
    assert event_names(gateway, found[0]) == ["job.submitted"]
    assert load_job(gateway, found[0]).status == "queued"
