"""Approved calls: claimed once, run with the decided bytes, and shown as in doubt when nobody can know."""

import json

import pytest

from gateway.domain.approval import Approve
from gateway.domain.arguments import sha256_hex
from gateway.domain.execution import Resolution
from gateway.domain.permission import Role
from gateway.errors import NotAllowed, NotFound, NotInDoubt
from gateway.store import executors
from gateway.store.session import Database
from gateway.store.tables import Approval
from gateway.tools.base import Failed, InDoubt, Ran
from gateway.usecases import approvals, claims, outcomes, recovery, resolutions
from gateway.usecases.claims import ClaimedCall
from gateway.usecases.gateway import Gateway
from tests.factories import (
    ago,
    ask,
    call,
    change_approval,
    change_execution,
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
    verdicts,
)
from tests.fakes import RecordingTool

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


@pytest.mark.parametrize(
    "tampered",
    [
        {"details": '{"amount": 1000}'},
        {"details": ARGUMENTS + " "},
        {"details": None},
        {"modified_details": '{"amount": 1000}'},
        {"effective_sha256": sha256_hex('{"amount": 1000}')},
        {"effective_sha256": None},
    ],
)
def test_arguments_that_are_not_the_decided_ones_never_run(database: Database, tampered: dict[str, str | None]) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    approval = approved(gateway)
    change_approval(gateway, approval.id, **tampered)

    run(gateway, approval)
    run(gateway, approval)

    assert tool.calls == []
    assert state(gateway, approval) == "failed"
    assert tool_results(gateway, approval.job_id or "") == [
        "Error: The stored arguments are not the decided ones; nothing was run."
    ]
    assert load_job(gateway, approval.job_id or "").status == "running", "the model is told, and may try again"


def test_arguments_and_hash_changed_together_never_run(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    approval = approved(gateway)
    other = '{"amount": 1000}'
    change_approval(
        gateway, approval.id, details=other, details_sha256=sha256_hex(other), effective_sha256=sha256_hex(other)
    )

    run(gateway, approval)

    assert tool.calls == [], "the decision row says which bytes were decided"
    assert state(gateway, approval) == "failed"


@pytest.mark.parametrize("status", ["pending", "rejected", "answered", "expired", "cancelled"])
def test_call_without_an_approval_never_runs(database: Database, status: str) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    approval = approved(gateway)
    change_approval(gateway, approval.id, status=status)

    run(gateway, approval)

    assert tool.calls == []
    assert state(gateway, approval) is None


def test_status_set_by_hand_without_a_decision_never_runs(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    change_approval(gateway, approval.id, status="approved", effective_sha256=approval.details_sha256)

    run(gateway, approval)

    assert tool.calls == []


def test_approval_of_another_action_never_runs(database: Database) -> None:
    tool, other = RecordingTool(), RecordingTool("other")
    gateway = make_gateway(database, tool, other)
    approval = approved(gateway)
    change_approval(gateway, approval.id, action="other", tool_sha256=other.definition.sha256)

    run(gateway, approval)

    assert (tool.calls, other.calls) == ([], []), "the decision row says which tool was decided"


def test_undone_approval_that_was_brought_back_by_hand_never_runs(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, undo_hold_s=30.0)
    person = make_person(gateway)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    decided = decide(gateway, person, approval, channel="page")
    old = {"decision_id": decided.decision_id, "effective_sha256": decided.effective_sha256}
    approvals.undo(gateway, person, approval.id, channel="page")
    change_approval(gateway, approval.id, status="approved", release_at=ago(gateway, 1), **old)

    run(gateway, approval)

    assert tool.calls == [], "the last word in the log is the undo"


def test_unknown_call_is_nothing_to_run(database: Database) -> None:
    assert claims.claim_call(make_gateway(database), "apr_nothing", 1) is None


def test_tool_changed_before_the_claim_is_pending_again(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    decide(gateway, reviewer, approval, Approve('{"amount": 2}'))
    tool.define(name="send", schema={"type": "object", "properties": {"amount": {"type": "string"}}})

    run(gateway, approval)

    again = load_approval(gateway, approval.id)
    assert (again.status, again.modified_details, again.effective_sha256, again.release_at) == (
        "pending",
        None,
        None,
        None,
    )
    assert [warning["code"] for warning in json.loads(again.warnings)] == ["tool_changed", "schema_mismatch"]
    assert tool.calls == []
    assert verdicts(gateway, approval.id) == [("approve", "person"), ("undo", "system")]
    row = load_decisions(gateway, approval.id)[-1]
    assert (row.reason_code, row.is_final) == ("tool_changed", False)
    assert load_job(gateway, approval.job_id or "").status == "waiting"
    assert event_names(gateway, approval.job_id or "")[-2:] == ["approval.reopened", "job.parked"]
    decide(gateway, reviewer, again)
    run(gateway, approval)
    assert tool.received == [ARGUMENTS]


def test_auto_tool_that_changed_before_the_claim_asks_a_person(database: Database) -> None:
    tool = RecordingTool(approval="auto")
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send"))
    tool.define(name="send", schema={"type": "object", "properties": {"a": {}}}, approval="auto")

    run(gateway, approval)

    again = load_approval(gateway, approval.id)
    assert (again.status, again.auto_decided) == ("pending", False)
    assert tool.calls == []


def test_removed_tool_is_pending_again_before_the_claim(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    approval = approved(gateway)

    run(make_gateway(database), approval)

    assert load_approval(gateway, approval.id).status == "pending"
    assert verdicts(gateway, approval.id)[-1] == ("undo", "system")


def test_call_that_comes_too_late_to_run_is_refused(database: Database) -> None:
    tool = RecordingTool(run_within_s=60)
    gateway = make_gateway(database, tool)
    late, early = approved(gateway), approved(gateway)
    change_approval(gateway, late.id, decided_at=ago(gateway, 61))
    change_approval(gateway, early.id, decided_at=ago(gateway, 55))

    run(gateway, late)
    run(gateway, early)

    assert [context.approval_id for context in tool.calls] == [early.id]
    assert (state(gateway, late), load_approval(gateway, late.id).retryable) == ("failed", True)
    assert tool_results(gateway, late.job_id or "") == [gateway.wording.run_window_passed]
    assert load_job(gateway, late.job_id or "").status == "running"


def test_result_may_hold_any_character(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(outcome=Ran("a\x00b\ud800c")))
    approval = approved(gateway)

    run(gateway, approval)

    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert execution.result == "a\ufffdb?c"
    assert tool_results(gateway, approval.job_id or "") == ["a\ufffdb?c"]


def test_quiet_call_of_a_dead_worker_is_queued_again(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    approval = approved(gateway)
    claimed_by_a_dead_worker(gateway, approval)
    change_execution(gateway, approval.id, started_at=ago(gateway, 120))

    assert recovery.requeue_quiet(gateway, 60) >= 1
    assert state(gateway, approval) == "started"


def test_call_of_a_worker_that_was_frozen_after_its_claim_is_not_sent(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, lease_s=0.0)
    approval = approved(gateway)

    claimed = claims.claim_call(gateway, approval.id, 1)

    assert claimed is not None
    assert claimed.context.is_overdue()


def test_live_worker_has_half_its_lease_to_send_the_call(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(), lease_s=60.0)
    claimed = claims.claim_call(gateway, approved(gateway).id, 1)

    assert claimed is not None
    assert not claimed.context.is_overdue()
