"""Calls that expire, warnings before it, more time, and jobs with a deadline."""

import json
from datetime import datetime, timedelta

import pytest

from gateway.domain.approval import Reject
from gateway.domain.permission import PersonActor, Role
from gateway.domain.turn import ModelTrouble
from gateway.errors import AlreadyDecided, Expired, GatewayError, InvalidRequest, NotAllowed, NotFound, OwnRequest
from gateway.runner.worker import Worker
from gateway.store.session import Database
from gateway.store.tables import Approval
from gateway.tools.base import CallContext, Outcome, Ran
from gateway.usecases import approvals, audit, deadlines, expiring, extending, jobs, turns
from gateway.usecases.gateway import Gateway
from tests.factories import (
    ago,
    answer,
    answer_turn,
    ask,
    call,
    change_approval,
    change_job,
    decide,
    event_names,
    load_approval,
    load_decisions,
    load_events,
    load_execution,
    load_job,
    load_turn,
    make_app,
    make_gateway,
    make_person,
    run,
    submit,
    tool_results,
    transcript,
    verdicts,
)
from tests.fakes import RecordingTool, ScriptedModel
from tests.usecases.test_races import all_at_once


def ahead(gateway: Gateway, seconds: float) -> datetime:
    return ago(gateway, -seconds)


def extend(gateway: Gateway, person: PersonActor, approval: Approval, seconds: float) -> Approval:
    return extending.extend(gateway, person, approval.id, ahead(gateway, seconds))


class TestExpiring:
    def test_time_is_the_tools_else_the_gateways(self, database: Database) -> None:
        own, plain = RecordingTool("own", expires_after_s=60), RecordingTool("plain")
        gateway = make_gateway(database, own, plain, expires_after_s=3600)

        of_tool, of_gateway = ask(gateway, call("own"), call("plain"))

        for approval, seconds in ((of_tool, 60), (of_gateway, 3600)):
            assert approval.expires_at == approval.created_at + timedelta(seconds=seconds)

    def test_without_a_setting_a_call_never_expires(self, database: Database) -> None:
        [approval] = ask(make_gateway(database, RecordingTool()), call("send"))

        assert (approval.expires_at, approval.warn_at) == (None, None)

    def test_warning_is_told_once_when_its_time_has_come(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=1000, expiry_warning_share=0.2)
        [approval] = ask(gateway, call("send"))
        assert approval.warn_at == approval.created_at + timedelta(seconds=800)
        before = event_names(gateway, approval.job_id or "")

        expiring.warn_due(gateway)
        assert event_names(gateway, approval.job_id or "") == before, "too early"
        change_approval(gateway, approval.id, warn_at=ago(gateway, 1))
        for _ in range(2):
            expiring.warn_due(gateway)

        assert event_names(gateway, approval.job_id or "") == [*before, "approval.expiring"]
        event = load_events(gateway, approval.job_id or "")[-1]
        assert event.approval_id == approval.id
        assert approval.expires_at is not None
        assert json.loads(event.data) == {"expires_at": approval.expires_at.isoformat()}
        assert load_approval(gateway, approval.id).status == "pending"

    def test_many_sweeps_at_once_warn_once(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=1000)
        [approval] = ask(gateway, call("send"))
        change_approval(gateway, approval.id, warn_at=ago(gateway, 1))

        assert all_at_once([lambda: expiring.warn_due(gateway)] * 5) == ["ok"] * 5

        assert event_names(gateway, approval.job_id or "").count("approval.expiring") == 1

    def test_what_was_decided_or_has_expired_is_not_warned_of(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=1000)
        decided, late = ask(gateway, call("send"), call("send"))
        decide(gateway, make_person(gateway), decided, Reject())
        for approval in (decided, late):
            change_approval(gateway, approval.id, warn_at=ago(gateway, 1))
        change_approval(gateway, late.id, expires_at=ago(gateway, 0.5))

        expiring.warn_due(gateway)

        assert "approval.expiring" not in event_names(gateway, late.job_id or "")

    def test_undone_approval_is_still_warned_of(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=1000, undo_hold_s=30.0)
        reviewer = make_person(gateway)
        [approval] = ask(gateway, call("send"))
        decide(gateway, reviewer, approval, channel="page")
        change_approval(gateway, approval.id, warn_at=ago(gateway, 1))
        expiring.warn_due(gateway)
        approvals.undo(gateway, reviewer, approval.id)

        expiring.warn_due(gateway)

        assert event_names(gateway, approval.job_id or "").count("approval.expiring") == 1


class TestExtending:
    def test_call_has_more_time_and_the_log_says_by_whom(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=600)
        reviewer = make_person(gateway)
        [approval] = ask(gateway, call("send"))
        until = ahead(gateway, 7200)

        extended = extending.extend(gateway, reviewer, approval.id, until)

        assert (extended.status, extended.expires_at, extended.decision_id) == ("pending", until, None)
        assert extended.warn_at is not None
        assert until - timedelta(seconds=721) < extended.warn_at < until - timedelta(seconds=719)
        [row] = load_decisions(gateway, approval.id)
        assert (row.verdict, row.is_final, row.actor_id, row.actor_kind, row.channel) == (
            "extend", False, reviewer.id, "person", "api",
        )  # fmt: skip
        assert approval.expires_at is not None
        assert row.note == f"Until {until.isoformat()} instead of {approval.expires_at.isoformat()}."
        event = load_events(gateway, approval.job_id or "")[-1]
        assert (event.name, json.loads(event.data)) == (
            "approval.extended", {"expires_at": until.isoformat(), "by": reviewer.name},
        )  # fmt: skip
        assert load_job(gateway, approval.job_id or "").status == "waiting"
        assert audit.verify(gateway).break_ is None

    def test_extended_call_is_warned_of_again_and_then_expires(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=600)
        [approval] = ask(gateway, call("send"))
        change_approval(gateway, approval.id, warn_at=ago(gateway, 1))
        expiring.warn_due(gateway)
        extend(gateway, make_person(gateway), approval, 7200)
        approvals.expire_due(gateway)
        assert load_approval(gateway, approval.id).status == "pending"

        change_approval(gateway, approval.id, warn_at=ago(gateway, 1))
        expiring.warn_due(gateway)
        change_approval(gateway, approval.id, expires_at=ago(gateway, 1))
        approvals.expire_due(gateway)

        assert [name for name in event_names(gateway, approval.job_id or "") if name.startswith("approval.ex")] == [
            "approval.expiring", "approval.extended", "approval.expiring", "approval.expired",
        ]  # fmt: skip
        assert verdicts(gateway, approval.id) == [("extend", "person"), ("expire", "system")]

    def test_extended_call_is_decided_and_runs(self, database: Database) -> None:
        tool = RecordingTool(expires_after_s=600)
        gateway = make_gateway(database, tool)
        reviewer = make_person(gateway)
        [approval] = ask(gateway, call("send"))
        extend(gateway, reviewer, approval, 7200)

        decide(gateway, reviewer, approval)
        run(gateway, approval)

        assert len(tool.calls) == 1

    def test_call_without_a_limit_gets_one(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool())
        [approval] = ask(gateway, call("send"))
        until = ahead(gateway, 60)

        extending.extend(gateway, make_person(gateway), approval.id, until)

        assert load_approval(gateway, approval.id).expires_at == until
        assert load_decisions(gateway, approval.id)[0].note == f"Until {until.isoformat()}."

    def test_same_time_again_changes_nothing(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool())
        person = make_person(gateway)
        [approval] = ask(gateway, call("send"))
        until = ahead(gateway, 3600)

        for _ in range(3):
            assert extending.extend(gateway, person, approval.id, until).expires_at == until

        assert verdicts(gateway, approval.id) == [("extend", "person")]

    @pytest.mark.parametrize(
        ("seconds", "reason"),
        [
            (-1, "must be in the future"),
            (3000, "must be later than the present one"),
            (401 * 86400, "at most 400 days"),
        ],
    )
    def test_time_must_be_later_but_not_too_late(self, database: Database, seconds: float, reason: str) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=3600)
        [approval] = ask(gateway, call("send"))

        with pytest.raises(InvalidRequest, match=reason) as caught:
            extend(gateway, make_person(gateway), approval, seconds)

        assert caught.value.facts["errors"][0]["pointer"] == "/expires_at"
        assert load_approval(gateway, approval.id).expires_at == approval.expires_at
        assert load_decisions(gateway, approval.id) == []

    def test_too_late_is_written_down(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool(), expires_after_s=3600)
        person = make_person(gateway)
        [approval] = ask(gateway, call("send"))
        change_approval(gateway, approval.id, expires_at=ago(gateway, 0.001))

        for _ in range(2):
            with pytest.raises(Expired):
                extend(gateway, person, approval, 60)

        assert load_approval(gateway, approval.id).status == "expired"
        assert verdicts(gateway, approval.id) == [("expire", "system")]
        assert tool_results(gateway, approval.job_id or "") == [gateway.wording.expired]

    @pytest.mark.parametrize("channel", ["api", "page"])
    def test_decided_call_has_no_time_to_give(self, database: Database, channel: str) -> None:
        gateway = make_gateway(database, RecordingTool(), undo_hold_s=30.0)
        person = make_person(gateway)
        [approval] = ask(gateway, call("send"))
        decide(gateway, person, approval, channel=channel)

        with pytest.raises(AlreadyDecided) as caught:
            extend(gateway, person, approval, 60)

        assert caught.value.facts["decided_by"] == person.name
        assert verdicts(gateway, approval.id) == [("approve", "person")]

    def test_only_who_may_decide_it_may_give_it_time(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool())
        auditor = make_person(gateway, role=Role.AUDITOR)
        asker = make_person(gateway)
        [approval] = ask(gateway, call("send"), on_behalf_of=asker.email)
        refused: list[tuple[PersonActor, type[GatewayError]]] = [(auditor, NotAllowed), (asker, OwnRequest)]

        for person, kind in refused:
            with pytest.raises(kind):
                extend(gateway, person, approval, 60)
        with pytest.raises(NotFound):
            extending.extend(gateway, make_person(gateway), "apr_nothing", ahead(gateway, 60))
        assert load_decisions(gateway, approval.id) == []

    def test_extending_and_expiring_at_once_has_one_winner(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool())
        person = make_person(gateway)
        for _ in range(10):
            [approval] = ask(gateway, call("send"))
            change_approval(gateway, approval.id, expires_at=ahead(gateway, 0.005))

            ends = all_at_once(
                [
                    lambda approval=approval: extend(gateway, person, approval, 600),  # type: ignore[misc]
                    *[lambda: approvals.expire_due(gateway)] * 3,
                ]
            )
            approvals.expire_due(gateway)

            status = load_approval(gateway, approval.id).status
            assert (ends[0], status) in {("ok", "pending"), ("expired", "expired")}
            assert len(load_decisions(gateway, approval.id)) == 1


class TestDeadline:
    def test_deadline_counts_from_submission_by_the_databases_clock(self, database: Database) -> None:
        gateway = make_gateway(database)

        job = load_job(gateway, submit(gateway, deadline_s=90).job.id)

        assert job.deadline_at == job.created_at + timedelta(seconds=90)
        assert load_job(gateway, submit(gateway).job.id).deadline_at is None

    def test_job_that_is_late_fails_and_its_open_calls_are_cancelled(self, database: Database) -> None:
        tool = RecordingTool()
        gateway = make_gateway(database, tool, undo_hold_s=30.0)
        reviewer = make_person(gateway)
        calls = ask(gateway, *[call("send")] * 4, deadline_s=60)
        pending, approved, held, rejected = calls
        decide(gateway, reviewer, approved)
        decide(gateway, reviewer, held, channel="page")
        decide(gateway, reviewer, rejected, Reject())
        job_id = pending.job_id or ""
        deadlines.end_overdue(gateway)
        assert load_job(gateway, job_id).status == "waiting", "too early"
        change_job(gateway, job_id, deadline_at=ago(gateway, 0.001))

        for _ in range(2):
            deadlines.end_overdue(gateway)
        for approval in calls:
            run(gateway, approval)

        job = load_job(gateway, job_id)
        assert (job.status, job.error_code, job.error_message) == (
            "failed", "deadline", "The job had not ended when its deadline passed.",
        )  # fmt: skip
        assert job.finished_at is not None
        assert [load_approval(gateway, one.id).status for one in calls] == [*["cancelled"] * 3, "rejected"]
        told = gateway.wording.cancelled
        assert tool_results(gateway, job_id) == [told, told, told, "Action rejected: blocked by reviewer"]
        assert tool.calls == []
        assert verdicts(gateway, pending.id) == [("cancel", "system")]
        assert load_decisions(gateway, pending.id)[0].reason_code == "deadline"
        assert event_names(gateway, job_id)[-4:] == [*["approval.cancelled"] * 3, "job.failed"]
        assert audit.verify(gateway).break_ is None

    def test_started_call_is_not_interrupted_and_its_result_is_recorded(self, database: Database) -> None:
        def pass_deadline(_: CallContext) -> Outcome:
            change_job(gateway, job_id, deadline_at=ago(gateway, 0.001))
            deadlines.end_overdue(gateway)
            return Ran("sent")

        gateway = make_gateway(database, RecordingTool(outcome=pass_deadline), RecordingTool("write"))
        running, waiting = ask(gateway, call("send"), call("write"), deadline_s=60)
        job_id = running.job_id or ""
        decide(gateway, make_person(gateway), running)

        run(gateway, running)

        assert load_job(gateway, job_id).error_code == "deadline"
        execution = load_execution(gateway, running.id)
        assert execution is not None
        assert execution.status == "succeeded"
        assert load_approval(gateway, running.id).status == "approved"
        assert load_approval(gateway, waiting.id).status == "cancelled"
        assert tool_results(gateway, job_id) == ["sent", gateway.wording.cancelled]
        assert turns.claim_turn(gateway, job_id) is None, "no model call follows"

    def test_nothing_happens_after_the_deadline_before_the_sweep_comes(self, database: Database) -> None:
        tool = RecordingTool()
        gateway = make_gateway(database, tool)
        person = make_person(gateway)
        to_decide, to_extend, to_run = (ask(gateway, call("send"), deadline_s=60)[0] for _ in range(3))
        decide(gateway, person, to_run)
        unasked = submit(gateway, deadline_s=60).job
        jobs_of = [unasked.id, *(one.job_id or "" for one in (to_decide, to_extend, to_run))]
        for job_id in jobs_of:
            change_job(gateway, job_id, deadline_at=ago(gateway, 0.001))

        with pytest.raises(AlreadyDecided, match="deadline"):
            decide(gateway, person, to_decide)
        with pytest.raises(AlreadyDecided, match="deadline"):
            extend(gateway, person, to_extend, 60)
        run(gateway, to_run)
        assert turns.claim_turn(gateway, unasked.id) is None

        assert tool.calls == []
        assert {load_job(gateway, job_id).error_code for job_id in jobs_of} == {"deadline"}
        for approval in (to_decide, to_extend, to_run):
            assert load_approval(gateway, approval.id).status == "cancelled"
            assert tool_results(gateway, approval.job_id or "") == [gateway.wording.cancelled]

    def test_answer_that_comes_after_the_deadline_is_dropped(self, database: Database) -> None:
        gateway = make_gateway(database, RecordingTool())
        swept, unswept, troubled = (submit(gateway, deadline_s=60).job.id for _ in range(3))
        claims = {job_id: turns.claim_turn(gateway, job_id) for job_id in (swept, unswept, troubled)}
        change_job(gateway, swept, deadline_at=ago(gateway, 0.001))
        deadlines.end_overdue(gateway)
        for job_id in (unswept, troubled):
            change_job(gateway, job_id, deadline_at=ago(gateway, 0.001))

        for job_id in (swept, unswept):
            claim = claims[job_id]
            assert claim is not None
            turns.record_answer(gateway, claim, answer(call("send")))
        claim = claims[troubled]
        assert claim is not None
        turns.record_trouble(gateway, claim, ModelTrouble("model_unavailable", "503", is_permanent=False))
        deadlines.end_overdue(gateway)

        for job_id in (swept, unswept, troubled):
            job = load_job(gateway, job_id)
            assert (job.status, job.error_code, job.rounds) == ("failed", "deadline", 0)
            assert [message["role"] for message in transcript(gateway, job_id)] == ["user"]
            assert load_turn(gateway, job_id).answered_at is None

    def test_job_that_ended_in_time_stays_as_it_ended(self, database: Database) -> None:
        gateway = make_gateway(database)
        job = submit(gateway, deadline_s=60).job
        answer_turn(gateway, job.id, text="Done.")
        change_job(gateway, job.id, deadline_at=ago(gateway, 1))

        deadlines.end_overdue(gateway)

        assert load_job(gateway, job.id).status == "succeeded"

    def test_cancelling_and_the_deadline_at_once_have_one_winner(self, database: Database) -> None:
        gateway, app = make_gateway(database, RecordingTool()), make_app()
        for _ in range(5):
            [approval] = ask(gateway, call("send"), actor=app, deadline_s=60)
            job_id = approval.job_id or ""
            change_job(gateway, job_id, deadline_at=ago(gateway, 0.001))

            [cancelled, *_] = all_at_once(
                [
                    lambda job_id=job_id: jobs.cancel(gateway, app, job_id),  # type: ignore[misc]
                    *[lambda: deadlines.end_overdue(gateway)] * 3,
                ]
            )

            ended = (cancelled, load_job(gateway, job_id).status)
            assert ended in {("ok", "cancelled"), ("job_finished", "failed")}
            assert len(load_decisions(gateway, approval.id)) == 1
            assert tool_results(gateway, job_id) == [gateway.wording.cancelled]

    def test_worker_makes_no_model_call_for_a_late_job(self, database: Database) -> None:
        gateway, model = make_gateway(database), ScriptedModel()
        job = submit(gateway, deadline_s=60).job
        change_job(gateway, job.id, deadline_at=ago(gateway, 1))

        Worker(gateway, model).advance_job(job.id)

        assert (model.requests, load_job(gateway, job.id).error_code) == ([], "deadline")
