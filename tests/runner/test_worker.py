"""The worker through the real SDK against Mistral's own request rules, whatever people decide."""

import itertools
import json
import logging

import pytest

from gateway.demo.script import Conversation, Script, ScriptedCall, Turn
from gateway.demo.scripted_model import running
from gateway.domain.approval import Approve, Reject, Respond
from gateway.domain.execution import Resolution
from gateway.domain.permission import PersonActor
from gateway.runner.model import MistralModel
from gateway.runner.worker import Worker
from gateway.store.session import Database
from gateway.store.tables import Approval
from gateway.tools.base import CallContext, Failed, InDoubt, Outcome, Ran
from gateway.usecases import approvals, resolutions
from gateway.usecases.gateway import Gateway
from tests.factories import (
    ago,
    change_approval,
    decide,
    drive,
    load_approvals,
    load_job,
    make_gateway,
    make_person,
    submit,
    tool_results,
)
from tests.fakes import RecordingTool
from tests.runner.wire import closed_port, reply, serving

DECISIONS = ("approve", "edit", "reject", "respond", "expire", "doubt", "error")


def outcome(context: CallContext) -> Outcome:
    arguments = context.arguments()
    if arguments.get("is_lost"):
        return InDoubt("time-out")
    return Failed("no such order") if arguments.get("is_wrong") else Ran("sent")


def script(size: int) -> Script:
    call = ScriptedCall(name="send", arguments='{"amount": 249.00}')
    last = Turn(content="That is all.")
    return Script(conversations=[Conversation(when="", turns=[Turn(tool_calls=[call] * size), last])])


def settle(gateway: Gateway, worker: Worker, person: PersonActor, approval: Approval, decision: str) -> None:
    """The call ends in this way."""
    match decision:
        case "approve":
            decide(gateway, person, approval)
        case "edit":
            decide(gateway, person, approval, Approve('{"amount": 1}'))
        case "error":
            decide(gateway, person, approval, Approve('{"is_wrong": true}'))
        case "reject":
            decide(gateway, person, approval, Reject(), note="no")
        case "respond":
            decide(gateway, person, approval, Respond(""))
        case "expire":
            change_approval(gateway, approval.id, expires_at=ago(gateway, 1))
            approvals.expire_due(gateway)
        case "doubt":
            decide(gateway, person, approval, Approve('{"is_lost": true}'))
            worker.run_call(approval.id, 1)
            resolutions.resolve(gateway, person, approval.id, Resolution.DID_NOT_RUN, note="looked")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_mistral_accepts_the_transcript_after_every_mix_of_decisions(sqlite_database: Database, size: int) -> None:
    gateway = make_gateway(sqlite_database, RecordingTool(outcome=outcome))
    person = make_person(gateway)
    mixes = list(itertools.product(DECISIONS, repeat=size))
    # Of three calls the mixes in which order matters least are left out: 84 of 343.
    mixes = mixes if size < 3 else sorted({tuple(sorted(mix)) for mix in mixes})

    with running(script(size), validate=True) as mistral:
        model = MistralModel(api_key="k", server_url=mistral.url, timeout_s=10)
        worker = Worker(gateway, model)
        for mix in mixes:
            job = drive(worker, gateway, submit(gateway).job.id)
            asked = load_approvals(gateway, job.id)
            assert len(asked) == size, job.error_message
            for approval, decision in reversed(list(zip(asked, mix, strict=True))):
                settle(gateway, worker, person, approval, decision)
            job = drive(worker, gateway, job.id)

            assert (job.status, job.error_message) == ("succeeded", None), mix
            messages = mistral.requests[-1]["messages"]
            assert [message["role"] for message in messages] == ["user", "assistant", *["tool"] * size]
            ids = [one["id"] for one in messages[1]["tool_calls"]]
            assert [message["tool_call_id"] for message in messages[2:]] == ids
            assert [message["content"] for message in messages[2:]] == tool_results(gateway, job.id)
            assert {one["function"]["arguments"] for one in messages[1]["tool_calls"]} == {'{"amount": 249.00}'}
        model.close()


ODD_CALLS = {
    "a tool that does not exist": ScriptedCall(name="shop.refund order!", arguments="{}"),
    "a name without a letter": ScriptedCall(name="é", arguments="{}"),
    "arguments that are no JSON": ScriptedCall(name="send", arguments='{"amount": '),
    "no arguments": ScriptedCall(name="send", arguments=""),
    "an object": ScriptedCall(name="send", arguments={"amount": 1}, arguments_as_object=True),
    "the id null": ScriptedCall(name="send", arguments="{}", id="null"),
    "the same id again": ScriptedCall(name="send", arguments="{}", id="abcdefgh1"),
}


@pytest.mark.parametrize("odd", ODD_CALLS)
def test_mistral_accepts_the_transcript_after_an_odd_call(sqlite_database: Database, odd: str) -> None:
    gateway = make_gateway(sqlite_database, RecordingTool(approval="auto"))
    calls = [ODD_CALLS[odd], ScriptedCall(name="send", arguments="{}", id="abcdefgh1")]
    turns = [Turn(content="I will.", tool_calls=calls), Turn(tool_calls=calls), Turn(content="Bye.")]

    with running(Script(conversations=[Conversation(turns=turns)]), validate=True) as mistral:
        model = MistralModel(api_key="k", server_url=mistral.url, timeout_s=10)
        job = drive(Worker(gateway, model), gateway, submit(gateway).job.id)
        model.close()

    assert (job.status, job.error_message, job.rounds) == ("succeeded", None, 3)
    assert len(mistral.requests) == 3


def test_wrong_key_fails_the_job_with_mistrals_words(sqlite_database: Database) -> None:
    gateway = make_gateway(sqlite_database)

    with running(script(1), api_key="right") as mistral:
        model = MistralModel(api_key="wrong", server_url=mistral.url, timeout_s=10)
        job = drive(Worker(gateway, model), gateway, submit(gateway).job.id)
        model.close()

    assert (job.status, job.error_code) == ("failed", "model_unauthorized")
    assert "401" in (job.error_message or "")


def test_busy_server_is_asked_again_and_the_answer_then_counts(sqlite_database: Database) -> None:
    gateway = make_gateway(sqlite_database)
    turns = [Turn(status=429, times=1), Turn(status=503, times=1), Turn(cut=True, times=1), Turn(content="Here I am.")]

    with running(Script(conversations=[Conversation(turns=turns)])) as mistral:
        model = MistralModel(api_key="k", server_url=mistral.url, timeout_s=10)
        worker = Worker(gateway, model)
        job = submit(gateway).job
        for _ in range(4):
            worker.advance_job(job.id)
        model.close()

    job = load_job(gateway, job.id)
    assert job.status == "succeeded"
    assert json.loads(job.output or "")["content"] == "Here I am."
    assert len(mistral.requests) == 4


@pytest.mark.parametrize(
    ("status", "code"), [(401, "model_unauthorized"), (422, "model_refused"), (503, "model_unavailable")]
)
def test_log_says_why_no_answer_came_but_not_what_the_server_quoted(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    gateway = make_gateway(sqlite_database)

    with serving(reply('{"message": "no user may say: card 4111"}', status=status)) as mistral:
        model = MistralModel(api_key="k", server_url=mistral.url, timeout_s=10)
        with caplog.at_level(logging.INFO, "gateway"):
            Worker(gateway, model).advance_job(submit(gateway).job.id)
        model.close()

    (record,) = [record for record in caplog.records if record.message == "model call gave no answer"]
    assert (vars(record)["code"], vars(record)["reason"]) == (code, f"Mistral answered {status}.")
    assert "4111" not in "".join(str(vars(record)) for record in caplog.records)


def test_log_says_that_the_model_cannot_be_reached(sqlite_database: Database, caplog: pytest.LogCaptureFixture) -> None:
    model = MistralModel(api_key="k", server_url=closed_port(), timeout_s=10)
    gateway = make_gateway(sqlite_database)

    Worker(gateway, model).advance_job(submit(gateway).job.id)
    model.close()

    (record,) = [record for record in caplog.records if record.message == "model call gave no answer"]
    assert vars(record)["reason"] == "Mistral could not be reached (ConnectError)."
