"""Taking back an approval before its release, and ending a job in whatever state it is."""

import pytest

from gateway.domain.approval import Approve, Reject, Respond
from gateway.domain.execution import Resolution
from gateway.domain.permission import Role
from gateway.domain.turn import ModelTrouble
from gateway.errors import AlreadyDecided, JobFinished, NotAllowed, NotFound, NotUndoable
from gateway.runner.worker import Worker
from gateway.store.session import Database
from gateway.tools.base import CallContext, InDoubt, Ran
from gateway.usecases import approvals, jobs, resolutions, turns
from tests.factories import (
    ago,
    answer,
    ask,
    call,
    change_approval,
    decide,
    drive,
    event_names,
    load_approval,
    load_approvals,
    load_decisions,
    load_execution,
    load_job,
    load_turn,
    make_app,
    make_gateway,
    make_person,
    run,
    submit,
    tool_results,
    verdicts,
)
from tests.fakes import RecordingTool, ScriptedModel


def test_approval_of_a_page_is_held_and_the_job_still_waits(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, undo_hold_s=30.0)
    [approval] = ask(gateway, call("send"))

    held = decide(gateway, make_person(gateway), approval, channel="page")
    run(gateway, approval)

    assert held.decided_at is not None
    assert held.release_at is not None
    assert (held.release_at - held.decided_at).total_seconds() == 30.0
    assert load_job(gateway, approval.job_id or "").status == "waiting"
    assert tool.calls == []


def test_approval_of_the_api_is_released_at_once(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, undo_hold_s=30.0)
    [approval] = ask(gateway, call("send"))

    decided = decide(gateway, make_person(gateway), approval, channel="api")
    run(gateway, approval)

    assert decided.release_at == decided.decided_at
    assert len(tool.calls) == 1


def test_released_call_runs_and_the_job_says_running_meanwhile(database: Database) -> None:
    gateway = make_gateway(database, undo_hold_s=30.0)
    seen: list[str] = []

    def look(context: CallContext) -> Ran:
        seen.append(load_job(gateway, context.job_id or "").status)
        return Ran("x")

    tool = RecordingTool(outcome=look)
    gateway.tools.register(tool)
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval, channel="page")
    change_approval(gateway, approval.id, release_at=ago(gateway, 0.001))

    run(gateway, approval)

    assert seen == ["running"], "nobody is awaited any more"
    assert event_names(gateway, approval.job_id or "")[-4:] == [
        "approval.decided", "execution.started", "job.resumed", "execution.succeeded",
    ]  # fmt: skip


def test_undone_approval_is_pending_again_and_does_not_run(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, undo_hold_s=30.0)
    first, second = make_person(gateway), make_person(gateway)
    [approval] = ask(gateway, call("send", '{"a": 1}'))
    decide(gateway, first, approval, Approve('{"a": 2}'), channel="page", reason_code="r")

    undone = approvals.undo(gateway, second, approval.id, channel="page")
    run(gateway, approval)

    assert (undone.status, undone.modified_details, undone.effective_sha256, undone.decision_id) == (
        "pending", None, None, None,
    )  # fmt: skip
    assert (undone.decided_at, undone.release_at, undone.reason_code) == (None, None, None)
    assert tool.calls == []
    assert load_job(gateway, approval.job_id or "").status == "waiting"
    assert event_names(gateway, approval.job_id or "")[-1] == "job.parked", "every face said pending all the time"
    approve, undo = load_decisions(gateway, approval.id)
    assert (approve.verdict, approve.actor_id, approve.is_final) == ("approve", first.id, True)
    assert (undo.verdict, undo.actor_id, undo.is_final, undo.channel) == ("undo", second.id, False, "page")


def test_undone_approval_can_be_decided_anew_also_in_the_same_way(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, undo_hold_s=30.0)
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send"))
    first = decide(gateway, reviewer, approval, channel="page")
    approvals.undo(gateway, reviewer, approval.id)

    second = decide(gateway, reviewer, approval, channel="api")
    run(gateway, approval)
    run(gateway, approval)

    assert second.decision_id != first.decision_id
    assert verdicts(gateway, approval.id) == [("approve", "person"), ("undo", "person"), ("approve", "person")]
    assert len(tool.calls) == 1


def test_released_or_never_approved_calls_cannot_be_undone(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(), undo_hold_s=30.0)
    reviewer = make_person(gateway)
    pending, released, rejected, answered, at_once = ask(gateway, *(call("send") for _ in range(5)))
    decide(gateway, reviewer, released, channel="page")
    change_approval(gateway, released.id, release_at=ago(gateway, 0.001))
    decide(gateway, reviewer, rejected, Reject(), channel="page")
    decide(gateway, reviewer, answered, Respond("x"), channel="page")
    decide(gateway, reviewer, at_once)

    for approval in (pending, released, rejected, answered, at_once):
        before = load_approval(gateway, approval.id)
        with pytest.raises(NotUndoable):
            approvals.undo(gateway, reviewer, approval.id)
        assert load_approval(gateway, approval.id) == before
    with pytest.raises(NotFound):
        approvals.undo(gateway, reviewer, "apr_nothing")


def test_auditor_undoes_nothing(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(), undo_hold_s=30.0)
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval, channel="page")

    with pytest.raises(NotAllowed):
        approvals.undo(gateway, make_person(gateway, role=Role.AUDITOR), approval.id)


def test_held_approval_cannot_be_decided_by_somebody_else(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(), undo_hold_s=30.0)
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval, channel="page")

    with pytest.raises(AlreadyDecided):
        decide(gateway, make_person(gateway), approval, Reject())


def test_queued_job_is_cancelled_before_the_model_was_asked(database: Database) -> None:
    gateway, app = make_gateway(database, RecordingTool()), make_app()
    job = submit(gateway, app).job
    model = ScriptedModel()

    cancelled = jobs.cancel(gateway, app, job.id)
    drive(Worker(gateway, model), gateway, job.id)

    assert (cancelled.status, model.requests) == ("cancelled", [])
    assert cancelled.finished_at is not None
    assert event_names(gateway, job.id) == ["job.submitted", "job.cancelled"]


def test_answer_to_a_cancelled_job_is_dropped(database: Database) -> None:
    gateway, app = make_gateway(database, RecordingTool()), make_app()
    answered, troubled = submit(gateway, app).job, submit(gateway, app).job
    claims = [turns.claim_turn(gateway, job.id) for job in (answered, troubled)]
    for job in (answered, troubled):
        jobs.cancel(gateway, app, job.id)

    assert claims[0] is not None
    assert claims[1] is not None
    turns.record_answer(gateway, claims[0], answer(call("send")))
    turns.record_trouble(gateway, claims[1], ModelTrouble("x", "y", is_permanent=True))

    for job in (answered, troubled):
        assert load_job(gateway, job.id).status == "cancelled"
        assert load_approvals(gateway, job.id) == []
        assert load_turn(gateway, job.id).answered_at is None
        assert event_names(gateway, job.id)[-1] == "job.cancelled"


def test_cancelling_closes_every_open_call_and_leaves_the_decided_ones(database: Database) -> None:
    tool = RecordingTool()
    gateway, app = make_gateway(database, tool, undo_hold_s=30.0), make_app("shop")
    reviewer = make_person(gateway)
    calls = ask(gateway, *(call("send") for _ in range(5)), actor=app)
    pending, approved, held, rejected, ran = calls
    decide(gateway, reviewer, approved)
    decide(gateway, reviewer, held, channel="page")
    decide(gateway, reviewer, rejected, Reject())
    decide(gateway, reviewer, ran)
    run(gateway, ran)

    job = jobs.cancel(gateway, app, pending.job_id or "")
    for approval in calls:
        run(gateway, approval)

    assert job.status == "cancelled"
    statuses = [load_approval(gateway, one.id).status for one in calls]
    assert statuses == ["cancelled", "cancelled", "cancelled", "rejected", "approved"]
    told = "Action cancelled: not executed."
    assert tool_results(gateway, job.id) == [told, told, told, "Action rejected: blocked by reviewer", "sent"]
    assert len(tool.calls) == 1
    for approval in (pending, approved, held):
        row = load_decisions(gateway, approval.id)[-1]
        assert (row.verdict, row.actor_kind, row.actor_id, row.actor_name, row.is_final) == (
            "cancel", "system", "app:shop", "shop", True,
        )  # fmt: skip
    assert event_names(gateway, job.id).count("approval.cancelled") == 3


def test_cancelling_again_changes_nothing(database: Database) -> None:
    gateway, app = make_gateway(database, RecordingTool()), make_app()
    [approval] = ask(gateway, call("send"), actor=app)
    first = jobs.cancel(gateway, app, approval.job_id or "")
    events = event_names(gateway, first.id)

    again = jobs.cancel(gateway, app, first.id)

    assert (again.status, again.finished_at, again.seq) == ("cancelled", first.finished_at, first.seq)
    assert event_names(gateway, first.id) == events
    assert verdicts(gateway, approval.id) == [("cancel", "system")]


def test_ended_job_cannot_be_cancelled(database: Database) -> None:
    gateway, app = make_gateway(database), make_app()
    done, failed = submit(gateway, app).job, submit(gateway, app).job
    drive(Worker(gateway, ScriptedModel([answer(text="Bye.")])), gateway, done.id)
    drive(Worker(gateway, ScriptedModel([ModelTrouble("x", "y", is_permanent=True)])), gateway, failed.id)

    for job in (done, failed):
        with pytest.raises(JobFinished):
            jobs.cancel(gateway, app, job.id)


def test_foreign_job_does_not_exist_for_an_app(database: Database) -> None:
    gateway = make_gateway(database)
    job = submit(gateway).job

    with pytest.raises(NotFound):
        jobs.cancel(gateway, make_app(), job.id)
    assert load_job(gateway, job.id).status == "queued"


def test_person_who_cancels_is_named(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    [approval] = ask(gateway, call("send"))
    admin = make_person(gateway, role=Role.ADMIN)

    jobs.cancel(gateway, admin, approval.job_id or "")

    [row] = load_decisions(gateway, approval.id)
    assert (row.verdict, row.actor_kind, row.actor_id) == ("cancel", "person", admin.id)


def test_result_of_a_started_call_is_recorded_after_the_cancellation(database: Database) -> None:
    gateway, app = make_gateway(database), make_app()

    def cancel_meanwhile(context: CallContext) -> Ran:
        jobs.cancel(gateway, app, context.job_id or "")
        return Ran("really sent")

    tool = RecordingTool(outcome=cancel_meanwhile)
    gateway.tools.register(tool)
    model = ScriptedModel([answer(call("send"))])
    worker = Worker(gateway, model)
    job = drive(worker, gateway, submit(gateway, app).job.id)
    [approval] = load_approvals(gateway, job.id)
    decide(gateway, make_person(gateway), approval)

    job = drive(worker, gateway, job.id)

    assert (job.status, load_approval(gateway, approval.id).status) == ("cancelled", "approved")
    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert (execution.status, execution.result) == ("succeeded", "really sent")
    assert tool_results(gateway, job.id) == ["really sent"]
    assert len(model.requests) == 1, "no model call follows"


def test_attempt_that_a_person_asked_for_is_cancelled_before_its_claim(database: Database) -> None:
    tool = RecordingTool(outcome=InDoubt("time-out"))
    gateway, app = make_gateway(database, tool), make_app()
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send"), actor=app)
    decide(gateway, reviewer, approval)
    run(gateway, approval)
    resolutions.resolve(gateway, reviewer, approval.id, Resolution.RUN_AGAIN, note="lost")

    jobs.cancel(gateway, app, approval.job_id or "")
    run(gateway, approval)

    assert len(tool.calls) == 1, "the second attempt was not claimed when the job was cancelled"
    assert load_approval(gateway, approval.id).status == "cancelled"
    assert tool_results(gateway, approval.job_id or "") == ["Action cancelled: not executed."]


def test_doubt_in_a_cancelled_job_is_settled_but_nothing_runs_again(database: Database) -> None:
    tool = RecordingTool(outcome=InDoubt("time-out"))
    gateway, app = make_gateway(database, tool), make_app()
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send"), actor=app)
    decide(gateway, reviewer, approval)
    run(gateway, approval)
    jobs.cancel(gateway, app, approval.job_id or "")

    with pytest.raises(JobFinished) as caught:
        resolutions.resolve(gateway, reviewer, approval.id, Resolution.RUN_AGAIN, note="again")
    assert caught.value.facts == {"job_status": "cancelled"}
    run(gateway, approval)
    assert len(tool.calls) == 1
    resolutions.resolve(gateway, reviewer, approval.id, Resolution.RAN, result="it did", note="looked")

    assert tool_results(gateway, approval.job_id or "") == ["it did"]
    assert load_job(gateway, approval.job_id or "").status == "cancelled"
