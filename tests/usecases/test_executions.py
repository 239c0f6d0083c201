"""Approved calls: claimed once, and run with exactly the decided bytes or not at all."""

import json

import pytest

from gateway.domain.approval import Approve
from gateway.domain.arguments import sha256_hex
from gateway.store.session import Database
from gateway.tools.base import Ran
from gateway.usecases import approvals, claims, recovery
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
from tests.usecases.attempts import ARGUMENTS, approved, claimed_by_a_dead_worker, state


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
