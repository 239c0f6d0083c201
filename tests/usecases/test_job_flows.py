"""A job from submission, through people's decisions, to the model's last words."""

import json

import pytest

from gateway.domain.approval import Approve, Reject, Respond
from gateway.runner.worker import Worker
from gateway.store.session import Database
from gateway.tools.base import Failed, Ran
from tests.factories import (
    answer,
    ask,
    call,
    decide,
    drive,
    event_names,
    load_approval,
    load_approvals,
    load_decisions,
    load_execution,
    load_job,
    make_gateway,
    make_person,
    run,
    submit,
    tool_results,
    transcript,
    verdicts,
)
from tests.fakes import RecordingTool, ScriptedModel

ARGUMENTS = '{"amount": 249.00,  "to":"é"}'


def test_job_without_tool_calls_succeeds_with_the_models_words(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    model = ScriptedModel([answer(text="Hello.")])

    job = drive(Worker(gateway, model), gateway, submit(gateway).job.id)

    assert job.status == "succeeded"
    assert json.loads(job.output or "") == {"role": "assistant", "content": "Hello.", "finish_reason": "stop"}
    assert (job.rounds, job.prompt_tokens, job.completion_tokens, job.total_tokens) == (1, 10, 5, 15)
    assert job.finished_at is not None
    assert event_names(gateway, job.id) == ["job.submitted", "job.started", "turn.answered", "job.succeeded"]
    assert transcript(gateway, job.id) == [
        {"role": "user", "content": "Please do it"},
        {"role": "assistant", "content": "Hello."},
    ]


def test_approved_call_runs_with_the_asked_bytes(database: Database) -> None:
    tool = RecordingTool(outcome=Ran("sent to é"))
    gateway = make_gateway(database, tool)
    reviewer = make_person(gateway)
    model = ScriptedModel(
        [answer(call("send", ARGUMENTS, id="abcdefgh1"), text="I will send it."), answer(text="Done.")]
    )
    worker = Worker(gateway, model)

    parked = drive(worker, gateway, submit(gateway).job.id)
    [approval] = load_approvals(gateway, parked.id)
    assert (parked.status, approval.status, approval.summary) == ("waiting", "pending", "I will send it.")
    assert tool.calls == []
    decide(gateway, reviewer, approval)
    job = drive(worker, gateway, parked.id)

    assert job.status == "succeeded"
    assert tool.received == [ARGUMENTS]
    [context] = tool.calls
    assert (context.idempotency_key, context.attempt, context.job_id) == (approval.id, 1, job.id)
    assert transcript(gateway, job.id)[2:] == [
        {"role": "tool", "tool_call_id": "abcdefgh1", "name": "send", "content": "sent to é"},
        {"role": "assistant", "content": "Done."},
    ]
    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert (execution.status, execution.result, execution.details_sha256) == (
        "succeeded", "sent to é", approval.details_sha256,
    )  # fmt: skip
    [decision] = load_decisions(gateway, approval.id)
    assert (decision.verdict, decision.is_final, decision.actor_kind, decision.actor_id, decision.actor_role) == (
        "approve", True, "person", reviewer.id, "reviewer",
    )  # fmt: skip
    assert (decision.details_sha256, decision.effective_sha256) == (approval.details_sha256, approval.details_sha256)
    assert event_names(gateway, job.id) == [
        "job.submitted", "job.started", "turn.answered", "approval.requested", "job.parked", "approval.decided",
        "job.resumed", "execution.started", "execution.succeeded", "turn.answered", "job.succeeded",
    ]  # fmt: skip


def test_edited_call_runs_with_exactly_the_edited_bytes_and_the_model_is_told(database: Database) -> None:
    tool = RecordingTool(outcome=Ran("ok"))
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    edited = '{ "amount" : 100.50,\n"to":"\\u00e9"}'

    decide(gateway, make_person(gateway), approval, Approve(edited), note="too much")
    run(gateway, approval)

    assert tool.received == [edited]
    [told] = tool_results(gateway, approval.job_id or "")
    assert told.splitlines()[0].startswith("A reviewer changed the arguments; the call ran with: ")
    assert edited in told
    assert told.endswith("\nok")
    stored = load_approval(gateway, approval.id)
    assert (stored.details, stored.modified_details) == (ARGUMENTS, edited)
    [decision] = load_decisions(gateway, approval.id)
    assert (decision.modified_details, decision.note) == (edited, "too much")
    assert decision.effective_sha256 == stored.effective_sha256 != decision.details_sha256
    assistant = transcript(gateway, approval.job_id or "")[1]
    assert assistant["tool_calls"][0]["function"]["arguments"] == ARGUMENTS


@pytest.mark.parametrize(
    ("note", "told"),
    [(None, "Action rejected: blocked by reviewer"), ("not this week", "Action rejected: not this week")],
)
def test_rejected_call_does_not_run_and_the_model_reads_why(database: Database, note: str | None, told: str) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    model = ScriptedModel([answer(call("send")), answer(text="Understood.")])
    worker = Worker(gateway, model)
    job = drive(worker, gateway, submit(gateway).job.id)
    [approval] = load_approvals(gateway, job.id)

    decide(gateway, make_person(gateway), approval, Reject(), note=note, reason_code="policy")
    job = drive(worker, gateway, job.id)

    assert (job.status, load_approval(gateway, approval.id).status) == ("succeeded", "rejected")
    assert tool.calls == []
    assert load_execution(gateway, approval.id) is None
    assert tool_results(gateway, job.id) == [told]
    [decision] = load_decisions(gateway, approval.id)
    assert (decision.verdict, decision.note, decision.reason_code) == ("reject", note, "policy")
    assert (decision.effective_sha256, decision.modified_details) == (None, None)


def test_response_takes_the_tools_place(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send"))

    decide(gateway, make_person(gateway), approval, Respond("The customer has already been called."))

    assert load_approval(gateway, approval.id).status == "answered"
    assert tool_results(gateway, approval.job_id or "") == ["The customer has already been called."]
    assert load_job(gateway, approval.job_id or "").status == "running"
    assert tool.calls == []
    [decision] = load_decisions(gateway, approval.id)
    assert (decision.verdict, decision.response) == ("respond", "The customer has already been called.")


def test_parallel_calls_are_decided_alone_and_told_in_the_order_asked(database: Database) -> None:
    tool = RecordingTool(outcome=lambda context: Ran(f"ran {context.arguments_json}"))
    gateway = make_gateway(database, tool)
    reviewer = make_person(gateway)
    asked = [call("send", f'{{"n": {n}}}') for n in range(4)]
    model = ScriptedModel([answer(*asked), answer(text="All done.")])
    worker = Worker(gateway, model)
    job = drive(worker, gateway, submit(gateway).job.id)
    first, second, third, fourth = load_approvals(gateway, job.id)

    decide(gateway, reviewer, fourth)
    worker.run_call(fourth.id, 1)
    assert tool.received == ['{"n": 3}'], "an approved call does not wait for its siblings"
    assert load_job(gateway, job.id).status == "waiting"
    decide(gateway, reviewer, second, Reject())
    decide(gateway, reviewer, third, Respond("three"))
    worker.advance_job(job.id)
    assert len(model.requests) == 1, "the model is asked again only when no result is missing"
    decide(gateway, reviewer, first, Approve('{"n": 100}'))
    worker.advance_job(job.id)
    assert len(model.requests) == 1
    worker.run_call(first.id, 1)
    done = drive(worker, gateway, job.id)

    assert done.status == "succeeded"
    told = ["A reviewer changed the arguments; the call ran with: {\"n\": 100}\nran {\"n\": 100}",
            "Action rejected: blocked by reviewer", "three", 'ran {"n": 3}']  # fmt: skip
    assert tool_results(gateway, job.id) == told
    sent = model.requests[1].messages
    assert [message["tool_call_id"] for message in sent if message["role"] == "tool"] == [one["id"] for one in asked]
    assert event_names(gateway, job.id).count("approval.decided") == 4


def test_call_of_an_auto_tool_runs_without_a_person_and_the_row_says_so(database: Database) -> None:
    tool = RecordingTool("lookup", approval="auto", outcome=Ran("found"))
    gateway = make_gateway(database, tool)
    model = ScriptedModel([answer(call("lookup", '{"id": 1}')), answer(text="Here.")])

    job = drive(Worker(gateway, model), gateway, submit(gateway).job.id)

    assert job.status == "succeeded"
    assert tool.received == ['{"id": 1}']
    [approval] = load_approvals(gateway, job.id)
    assert approval.auto_decided
    [decision] = load_decisions(gateway, approval.id)
    assert (decision.verdict, decision.actor_kind, decision.actor_id, decision.reason_code) == (
        "approve", "tool_setting", "lookup", "tool_setting",
    )  # fmt: skip
    assert "job.parked" not in event_names(gateway, job.id)


def test_permission_ask_makes_auto_tools_wait_for_a_person(database: Database) -> None:
    tool = RecordingTool("lookup", approval="auto")
    gateway = make_gateway(database, tool)

    [approval] = ask(gateway, call("lookup"), permission="ask")

    assert (approval.status, load_job(gateway, approval.job_id or "").status) == ("pending", "waiting")
    assert verdicts(gateway, approval.id) == []


def test_permission_deny_rejects_gated_calls_unasked_and_lets_auto_tools_run(database: Database) -> None:
    gated, free = RecordingTool("send"), RecordingTool("lookup", approval="auto", outcome=Ran("found"))
    gateway = make_gateway(database, gated, free)
    model = ScriptedModel([answer(call("send"), call("lookup")), answer(text="Partly.")])

    job = drive(Worker(gateway, model), gateway, submit(gateway, permission="deny").job.id)

    assert job.status == "succeeded"
    denied, _ = load_approvals(gateway, job.id)
    assert (denied.status, denied.reason_code, denied.retryable) == ("rejected", "permission_deny", False)
    assert verdicts(gateway, denied.id) == [("reject", "system")]
    assert tool_results(gateway, job.id) == [gateway.wording.permission_deny, "found"]
    assert (len(gated.calls), len(free.calls)) == (0, 1)


def test_error_of_a_tool_is_its_result_and_the_job_goes_on(database: Database) -> None:
    tool = RecordingTool(outcome=Failed("no such account"), approval="auto")
    gateway = make_gateway(database, tool)
    model = ScriptedModel([answer(call("send")), answer(text="It failed.")])

    job = drive(Worker(gateway, model), gateway, submit(gateway).job.id)

    assert job.status == "succeeded"
    assert tool_results(gateway, job.id) == ["Error: no such account"]
    [approval] = load_approvals(gateway, job.id)
    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert (execution.status, execution.error) == ("failed", "no such account")
    assert "execution.failed" in event_names(gateway, job.id)


def test_running_the_same_piece_of_work_again_changes_nothing(database: Database) -> None:
    tool = RecordingTool(approval="auto")
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send"))

    for _ in range(3):
        run(gateway, approval)

    assert len(tool.calls) == 1
    assert tool_results(gateway, approval.job_id or "") == ["sent"]
    assert event_names(gateway, approval.job_id or "").count("execution.started") == 1
