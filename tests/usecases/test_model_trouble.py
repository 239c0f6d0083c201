"""When the model gives no answer, a bad one, one too many, or never stops asking for tools."""

import dataclasses
import json

import pytest

from gateway.domain.turn import ModelTrouble
from gateway.runner.worker import Worker
from gateway.store import executors
from gateway.store.session import Database
from gateway.usecases import turns
from tests.factories import (
    ago,
    answer,
    call,
    change_turn,
    drive,
    event_names,
    load_approvals,
    load_events,
    load_job,
    load_turn,
    make_gateway,
    submit,
    tool_results,
    transcript,
)
from tests.fakes import RecordingTool, ScriptedModel

BUSY = ModelTrouble("model_rate_limited", "Mistral answered 429: slow down", is_permanent=False)


def test_permanent_trouble_fails_the_job_with_its_code(database: Database) -> None:
    gateway = make_gateway(database)
    trouble = ModelTrouble("model_unauthorized", "Mistral answered 401: Invalid API Key", is_permanent=True)

    job = drive(Worker(gateway, ScriptedModel([trouble])), gateway, submit(gateway).job.id)

    assert (job.status, job.error_code, job.error_message) == ("failed", "model_unauthorized", trouble.message)
    assert event_names(gateway, job.id)[-1] == "job.failed"
    failed = load_events(gateway, job.id)[-1]
    assert json.loads(failed.data) == {"error": {"code": "model_unauthorized", "message": trouble.message}}
    assert load_turn(gateway, job.id).last_error == trouble.message


def test_passing_trouble_is_tried_again(database: Database) -> None:
    gateway = make_gateway(database)
    job = submit(gateway).job
    worker = Worker(gateway, ScriptedModel([BUSY, BUSY, answer(text="At last.")]))

    worker.advance_job(job.id)

    assert load_job(gateway, job.id).status == "running", "people are not awaited"
    turn = load_turn(gateway, job.id)
    assert (turn.attempts, turn.claimed_by, turn.last_error) == (1, None, BUSY.message)
    assert turn.retry_at is not None
    assert event_names(gateway, job.id)[-1] == "turn.delayed"
    facts = json.loads(load_events(gateway, job.id)[-1].data)
    assert (facts["round"], facts["attempt"], facts["reason"]) == (1, 1, BUSY.message)
    worker.advance_job(job.id)
    assert load_turn(gateway, job.id).attempts == 2
    worker.advance_job(job.id)
    job = load_job(gateway, job.id)
    assert (job.status, job.rounds, load_turn(gateway, job.id).attempts) == ("succeeded", 1, 3)


def test_waits_grow_and_keep_to_what_the_model_asks(database: Database) -> None:
    gateway = make_gateway(database, retry_first_s=1.0, retry_max_s=8.0)
    job = submit(gateway).job
    patient = ModelTrouble("model_rate_limited", "later", is_permanent=False, retry_after_s=5.0)
    endless = ModelTrouble("model_rate_limited", "much later", is_permanent=False, retry_after_s=3600.0)
    worker = Worker(gateway, ScriptedModel([BUSY, BUSY, BUSY, BUSY, BUSY, patient, endless]))
    waits = []

    for _ in range(5):
        worker.advance_job(job.id)
        turn = load_turn(gateway, job.id)
        at = load_events(gateway, job.id)[-1].at
        assert turn.retry_at is not None
        waits.append((turn.retry_at - at).total_seconds())

    for wait_s, ceiling_s in zip(waits, (1, 2, 4, 8, 8), strict=True):
        assert ceiling_s / 2 <= wait_s <= ceiling_s
    for least_s in (5.0, 8.0):
        worker.advance_job(job.id)
        turn = load_turn(gateway, job.id)
        assert turn.retry_at is not None
        assert least_s <= (turn.retry_at - load_events(gateway, job.id)[-1].at).total_seconds() <= 8.0


def test_model_that_stays_away_too_long_fails_the_job(database: Database) -> None:
    gateway = make_gateway(database, model_give_up_s=600.0)
    job = submit(gateway).job
    worker = Worker(gateway, ScriptedModel([BUSY, BUSY, BUSY]))
    worker.advance_job(job.id)
    change_turn(gateway, job.id, first_claimed_at=ago(gateway, 590))
    worker.advance_job(job.id)
    assert load_job(gateway, job.id).status == "running"
    change_turn(gateway, job.id, first_claimed_at=ago(gateway, 601))

    worker.advance_job(job.id)

    job = load_job(gateway, job.id)
    assert (job.status, job.error_code) == ("failed", "model_rate_limited")


def test_trouble_of_a_later_round_keeps_what_was_done(database: Database) -> None:
    tool = RecordingTool(approval="auto")
    gateway = make_gateway(database, tool)
    model = ScriptedModel([answer(call("send")), ModelTrouble("model_refused", "400", is_permanent=True)])

    job = drive(Worker(gateway, model), gateway, submit(gateway).job.id)

    assert (job.status, job.error_code, job.rounds) == ("failed", "model_refused", 1)
    assert len(tool.calls) == 1
    assert [message["role"] for message in transcript(gateway, job.id)] == ["user", "assistant", "tool"]


def test_last_allowed_answer_that_asks_for_tools_opens_no_approval(database: Database) -> None:
    tool = RecordingTool(approval="auto")
    gateway = make_gateway(database, tool)
    model = ScriptedModel([answer(call("send")), answer(call("send"), call("shop.odd"), text="And more."), answer()])

    job = drive(Worker(gateway, model), gateway, submit(gateway, max_rounds=2).job.id)

    assert (job.status, job.error_code, job.rounds) == ("failed", "max_rounds", 2)
    assert (len(model.requests), len(tool.calls), len(load_approvals(gateway, job.id))) == (2, 1, 1)
    assert tool_results(gateway, job.id) == ["sent", "Not executed: round limit.", "Not executed: round limit."]
    _, _, _, assistant, *results = transcript(gateway, job.id)
    assert [one["tool_call_id"] for one in results] == [one["id"] for one in assistant["tool_calls"]]
    assert [one["name"] for one in results] == [one["function"]["name"] for one in assistant["tool_calls"]]


def test_last_allowed_answer_may_be_words(database: Database) -> None:
    gateway = make_gateway(database)

    job = drive(Worker(gateway, ScriptedModel([answer(text="Yes.")])), gateway, submit(gateway, max_rounds=1).job.id)

    assert job.status == "succeeded"


def test_second_answer_to_a_turn_is_dropped(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway).job
    first = turns.claim_turn(gateway, job.id)
    second = turns.claim_turn(gateway, job.id)
    assert first is not None
    assert second is not None

    turns.record_answer(gateway, first, answer(call("send", '{"n": 1}')))
    before = event_names(gateway, job.id)
    turns.record_answer(gateway, second, answer(call("send", '{"n": 2}'), call("send")))
    turns.record_trouble(gateway, second, ModelTrouble("x", "y", is_permanent=True))

    assert [one.details for one in load_approvals(gateway, job.id)] == ['{"n": 1}']
    assert event_names(gateway, job.id) == before
    assert load_job(gateway, job.id).total_tokens == 15
    assert turns.claim_turn(gateway, job.id) is None, "a call waits: no model call is due"


def test_turn_of_a_live_worker_is_left_alone_and_of_a_dead_one_taken_over(postgres_database: Database) -> None:
    gateway, other = make_gateway(postgres_database), make_gateway(postgres_database)
    job = submit(gateway).job
    assert turns.claim_turn(other, job.id) is not None
    with postgres_database.write() as session:
        executors.beat(session, other.engine.executor_id, postgres_database.now(session))

    assert turns.claim_turn(gateway, job.id) is None
    with postgres_database.write() as session:
        executors.remove(session, other.engine.executor_id)
    assert turns.claim_turn(gateway, job.id) is not None
    assert load_turn(gateway, job.id).attempts == 2


def test_claim_of_a_live_worker_lapses(postgres_database: Database) -> None:
    gateway, other = make_gateway(postgres_database), make_gateway(postgres_database)
    job = submit(gateway).job
    assert turns.claim_turn(other, job.id) is not None
    with postgres_database.write() as session:
        executors.beat(session, other.engine.executor_id, postgres_database.now(session))
    change_turn(gateway, job.id, claimed_until=ago(gateway, 0.001))

    assert turns.claim_turn(gateway, job.id) is not None


def test_turn_of_a_process_that_is_gone_is_taken_over(sqlite_database: Database) -> None:
    gateway, other = make_gateway(sqlite_database), make_gateway(sqlite_database)
    job = submit(gateway).job
    assert turns.claim_turn(other, job.id) is not None

    assert turns.claim_turn(gateway, job.id) is not None


def test_finished_or_unknown_job_needs_no_model_call(database: Database) -> None:
    gateway = make_gateway(database)
    job = drive(Worker(gateway, ScriptedModel([answer(text="Bye.")])), gateway, submit(gateway).job.id)

    assert turns.claim_turn(gateway, job.id) is None
    assert turns.claim_turn(gateway, "job_nothing") is None


@pytest.mark.parametrize("finish_reason", ["length", "error", "model_length"])
def test_answer_without_calls_ends_the_job_and_names_its_reason(database: Database, finish_reason: str) -> None:
    gateway = make_gateway(database)
    job = submit(gateway).job
    claim = turns.claim_turn(gateway, job.id)
    assert claim is not None
    given = dataclasses.replace(answer(text="Half a"), finish_reason=finish_reason)

    turns.record_answer(gateway, claim, given)

    assert json.loads(load_job(gateway, job.id).output or "")["finish_reason"] == finish_reason
