"""Calls of which nobody can know whether they ran: shown as in doubt, settled by a finisher or a person."""

import json

import pytest

from gateway.domain.approval import Approve
from gateway.domain.execution import Resolution
from gateway.domain.permission import Role
from gateway.errors import NotAllowed, NotFound, NotInDoubt
from gateway.store import executors
from gateway.store.session import Database
from gateway.tools.base import Failed, InDoubt, Outcome, Ran
from gateway.usecases import claims, outcomes, resolutions
from tests.factories import (
    ask,
    call,
    change_approval,
    decide,
    event_names,
    load_approval,
    load_decisions,
    load_execution,
    load_job,
    make_gateway,
    make_person,
    run,
    tool_results,
)
from tests.fakes import RecordingTool
from tests.usecases.attempts import ARGUMENTS, approved, claimed_by_a_dead_worker, in_doubt, state


def test_idempotent_call_of_a_dead_worker_is_repeated_with_the_same_key(database: Database) -> None:
    tool = RecordingTool(idempotent=True)
    gateway = make_gateway(database, tool)
    approval = approved(gateway)
    first = claimed_by_a_dead_worker(gateway, approval)

    run(gateway, approval)

    [again] = tool.calls
    assert again == first.context
    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert (execution.status, execution.executor_id) == ("succeeded", gateway.engine.executor_id)
    assert load_execution(gateway, approval.id, 2) is None
    assert tool_results(gateway, approval.job_id or "") == ["sent"]


def test_repeat_that_fails_leaves_the_call_in_doubt(database: Database) -> None:
    tool = RecordingTool(idempotent=True, outcome=Failed("no connection"))
    gateway = make_gateway(database, tool)
    approval = approved(gateway)
    claimed_by_a_dead_worker(gateway, approval)

    run(gateway, approval)

    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert execution.status == "unknown"
    assert "no connection" in (execution.error or "")
    assert tool_results(gateway, approval.job_id or "") == []


def test_other_call_of_a_dead_worker_is_in_doubt_and_people_are_awaited(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)

    approval, _ = in_doubt(gateway)
    run(gateway, approval)

    assert tool.calls == []
    assert state(gateway, approval) == "unknown"
    assert load_job(gateway, approval.job_id or "").status == "waiting"
    assert tool_results(gateway, approval.job_id or "") == []
    names = event_names(gateway, approval.job_id or "")
    assert names[-3:] == ["execution.started", "execution.doubted", "job.parked"]


def test_call_of_a_live_worker_is_left_alone(postgres_database: Database) -> None:
    tool = RecordingTool(idempotent=True)
    gateway = make_gateway(postgres_database, tool)
    approval = approved(gateway)
    claimed_by_a_dead_worker(gateway, approval)
    with postgres_database.write() as session:
        executors.beat(session, "dead", postgres_database.now(session))

    run(gateway, approval)

    assert tool.calls == []
    assert state(gateway, approval) == "started"


def test_started_call_whose_arguments_were_changed_is_in_doubt_and_not_repeated(database: Database) -> None:
    tool = RecordingTool(idempotent=True)
    gateway = make_gateway(database, tool)
    approval = approved(gateway)
    claimed_by_a_dead_worker(gateway, approval)
    change_approval(gateway, approval.id, details='{"amount": 1000}')

    run(gateway, approval)

    assert tool.calls == []
    assert state(gateway, approval) == "unknown"
    assert load_job(gateway, approval.job_id or "").status == "waiting"


def test_tool_in_doubt_about_its_own_call_awaits_a_person(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(outcome=InDoubt("time-out after 30 s")))
    approval = approved(gateway)

    run(gateway, approval)

    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert (execution.status, execution.error) == ("unknown", "time-out after 30 s")
    assert load_job(gateway, approval.job_id or "").status == "waiting"


def test_tool_that_breaks_off_is_in_doubt(database: Database) -> None:
    def broken(_: object) -> Ran:
        raise RuntimeError("a bug")

    gateway = make_gateway(database, RecordingTool(outcome=broken))
    approval = approved(gateway)

    run(gateway, approval)

    assert state(gateway, approval) == "unknown"


@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        (Ran("sent after all"), "succeeded", "sent after all"),
        (Failed("no such account"), "failed", "Error: no such account"),
    ],
)
def test_late_finisher_settles_the_doubt(database: Database, outcome: Ran | Failed, status: str, told: str) -> None:
    gateway = make_gateway(database, RecordingTool())
    approval, claim = in_doubt(gateway)

    outcomes.record_outcome(gateway, claim, outcome)

    assert state(gateway, approval) == status
    assert tool_results(gateway, approval.job_id or "") == [told]
    assert load_job(gateway, approval.job_id or "").status == "running"
    assert event_names(gateway, approval.job_id or "")[-2:] == [f"execution.{status}", "job.resumed"]


@pytest.mark.parametrize(
    ("resolution", "outcome", "warned"),
    [
        (
            Resolution.DID_NOT_RUN,
            Ran("sent"),
            "It did run: the answer came after a person had recorded otherwise.",
        ),
        (Resolution.RUN_AGAIN, Ran("sent"), "Attempt 1 did run: the answer came after a person had asked for another."),
        (Resolution.RAN, Failed("down"), "It failed: the answer came after a person had recorded otherwise."),
        (Resolution.RAN, Ran("sent"), None),
        (Resolution.DID_NOT_RUN, Failed("down"), None),
        (Resolution.DID_NOT_RUN, InDoubt("cut"), None),
    ],
)
def test_finisher_that_contradicts_a_persons_word_is_shown(
    database: Database, resolution: Resolution, outcome: Outcome, warned: str | None
) -> None:
    gateway = make_gateway(database, RecordingTool())
    approval, claim = in_doubt(gateway)
    resolutions.resolve(gateway, make_person(gateway), approval.id, resolution, note="looked")

    outcomes.record_outcome(gateway, claim, outcome)
    outcomes.record_outcome(gateway, claim, outcome)

    warnings = json.loads(load_approval(gateway, approval.id).warnings)
    shown = [warning["message"] for warning in warnings if warning["code"] == "finished_late"]
    assert shown == ([warned] if warned else [])


def test_finisher_after_a_persons_word_leaves_only_an_event(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    approval, claim = in_doubt(gateway)
    resolutions.resolve(gateway, make_person(gateway), approval.id, Resolution.DID_NOT_RUN, note="checked")
    before = load_execution(gateway, approval.id)

    outcomes.record_outcome(gateway, claim, Ran("sent after all"))

    assert load_execution(gateway, approval.id) == before
    assert tool_results(gateway, approval.job_id or "") == ["Error: the call did not run. checked"]
    assert event_names(gateway, approval.job_id or "")[-1] == "execution.finished_late"


@pytest.mark.parametrize(
    ("resolution", "result", "status", "told"),
    [
        (Resolution.RAN, "receipt 7", "succeeded", "receipt 7"),
        (Resolution.RAN, None, "succeeded", "The call ran, but its result was not recorded."),
        (Resolution.DID_NOT_RUN, None, "failed", "Error: the call did not run. looked at the bank"),
    ],
)
def test_persons_word_settles_the_doubt(
    database: Database, resolution: Resolution, result: str | None, status: str, told: str
) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    reviewer = make_person(gateway)
    approval, _ = in_doubt(gateway)

    resolutions.resolve(gateway, reviewer, approval.id, resolution, result=result, note="looked at the bank")

    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert (execution.status, execution.resolved_by) == (status, reviewer.id)
    assert tool_results(gateway, approval.job_id or "") == [told]
    assert load_job(gateway, approval.job_id or "").status == "running"
    assert tool.calls == []
    row = load_decisions(gateway, approval.id)[-1]
    assert (row.verdict, row.is_final, row.reason_code, row.note, row.response, row.actor_id) == (
        "resolve", False, resolution, "looked at the bank", result, reviewer.id,
    )  # fmt: skip
    assert "execution.resolved" in event_names(gateway, approval.job_id or "")


@pytest.mark.parametrize("result", ["receipt 7", None])
def test_model_is_told_of_the_edit_of_a_call_that_a_person_settled(database: Database, result: str | None) -> None:
    gateway = make_gateway(database, RecordingTool(outcome=InDoubt("time-out")))
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    decide(gateway, reviewer, approval, Approve('{"amount": 2}'))
    run(gateway, approval)

    resolutions.resolve(gateway, reviewer, approval.id, Resolution.RAN, result=result, note="looked")

    [told] = tool_results(gateway, approval.job_id or "")
    edited, rest = told.split("\n")
    assert '{"amount": 2}' in edited
    assert rest == (result or "The call ran, but its result was not recorded.")


def test_run_again_opens_the_next_attempt_with_the_same_key(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    approval, claim = in_doubt(gateway)

    resolutions.resolve(gateway, make_person(gateway), approval.id, Resolution.RUN_AGAIN, note="nothing arrived")
    assert load_job(gateway, approval.job_id or "").status == "running"
    run(gateway, approval)

    [context] = tool.calls
    assert (context.attempt, context.idempotency_key) == (2, claim.context.idempotency_key)
    assert context.arguments_json == ARGUMENTS
    assert (state(gateway, approval, 1), state(gateway, approval, 2)) == ("failed", "succeeded")
    assert tool_results(gateway, approval.job_id or "") == ["sent"]
    outcomes.record_outcome(gateway, claim, Ran("the first one, late"))
    assert tool_results(gateway, approval.job_id or "") == ["sent"]
    assert event_names(gateway, approval.job_id or "")[-1] == "execution.finished_late"


def test_old_piece_of_work_does_not_run_the_next_attempt(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    approval, _ = in_doubt(gateway)
    resolutions.resolve(gateway, make_person(gateway), approval.id, Resolution.RUN_AGAIN, note="n")

    assert claims.claim_call(gateway, approval.id, 1) is None
    assert claims.claim_call(gateway, approval.id, 3) is None
    assert state(gateway, approval, 2) is None


def test_nothing_but_doubt_can_be_resolved(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    reviewer = make_person(gateway)
    [pending] = ask(gateway, call("send"))
    waiting, started, done = approved(gateway), approved(gateway), approved(gateway)
    claims.claim_call(gateway, started.id, 1)
    run(gateway, done)

    for approval in (pending, waiting, started, done):
        with pytest.raises(NotInDoubt):
            resolutions.resolve(gateway, reviewer, approval.id, Resolution.RAN, note="n")
    with pytest.raises(NotFound):
        resolutions.resolve(gateway, reviewer, "apr_nothing", Resolution.RAN, note="n")
    settled, _ = in_doubt(gateway)
    resolutions.resolve(gateway, reviewer, settled.id, Resolution.RAN, note="n")
    with pytest.raises(NotInDoubt):
        resolutions.resolve(gateway, reviewer, settled.id, Resolution.DID_NOT_RUN, note="n")


def test_auditor_settles_nothing(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    approval, _ = in_doubt(gateway)

    with pytest.raises(NotAllowed):
        resolutions.resolve(gateway, make_person(gateway, role=Role.AUDITOR), approval.id, Resolution.RAN, note="n")
    assert state(gateway, approval) == "unknown"
