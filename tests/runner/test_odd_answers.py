"""Whatever a model sends ends recorded: it is counted, given up in the end, and never repeated for ever."""

import pytest

from gateway.domain.turn import ModelAnswer, ModelTrouble
from gateway.runner.answer import MAX_TOKENS, read_answer
from gateway.runner.worker import Worker
from gateway.store.session import Database
from gateway.usecases.turns import MAX_BAD_ANSWERS
from tests.factories import answer, call, load_approvals, load_job, load_turn, make_gateway, submit
from tests.fakes import RecordingTool, ScriptedModel

HELLO = '{"role": "assistant", "content": "hi"}'


def completion(usage: str, message: str = HELLO) -> str:
    return f'{{"choices": [{{"message": {message}, "finish_reason": "stop"}}], "usage": {usage}}}'


@pytest.mark.parametrize(
    "count", ["1e400", "99999999999999999999999", "3000000000", "-1", '"7"', "null", "1" + "0" * 5000]
)
def test_count_that_cannot_be_one_is_no_count(count: str) -> None:
    usage = read_answer(completion(f'{{"prompt_tokens": {count}, "total_tokens": 7}}')).usage

    assert usage.prompt_tokens == 0
    assert usage.total_tokens == 7 <= MAX_TOKENS


def test_number_that_python_cannot_read_is_refused_at_intake_and_not_before(database: Database) -> None:
    function = f'{{"name": "send", "arguments": {{"amount": {"9" * 5000}}}}}'
    message = f'{{"role": "assistant", "content": "", "tool_calls": [{{"id": "abcdefghi", "function": {function}}}]}}'
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway).job

    Worker(gateway, ScriptedModel([read_answer(completion("{}", message))])).advance_job(job.id)

    [approval] = load_approvals(gateway, job.id)
    assert (approval.status, approval.reason_code) == ("rejected", "too_large")


@pytest.mark.parametrize("failure", [RecursionError(), OverflowError(), RuntimeError("?"), UnicodeError()])
def test_failure_that_nobody_foresaw_is_counted_and_given_up(database: Database, failure: Exception) -> None:
    gateway = make_gateway(database, retry_first_s=0.001)
    job = submit(gateway).job
    worker = Worker(gateway, ScriptedModel([failure] * (MAX_BAD_ANSWERS + 5)))

    for _ in range(MAX_BAD_ANSWERS + 2):
        worker.advance_job(job.id)

    ended = load_job(gateway, job.id)
    assert (ended.status, ended.error_code) == ("failed", "model_bad_answer")
    assert load_turn(gateway, job.id).attempts == MAX_BAD_ANSWERS


def test_answer_that_cannot_be_stored_is_counted_too(database: Database) -> None:
    gateway = make_gateway(database)
    job = submit(gateway).job
    unstorable: ModelAnswer = answer(text="x")
    object.__setattr__(unstorable, "finish_reason", object())

    Worker(gateway, ScriptedModel([unstorable])).advance_job(job.id)

    turn = load_turn(gateway, job.id)
    assert (turn.attempts, turn.answered_at, load_job(gateway, job.id).status) == (1, None, "running")
    assert turn.last_error == "The answer of the model cannot be taken."


def test_unreachable_model_is_tried_for_longer_than_an_unreadable_one(database: Database) -> None:
    gateway = make_gateway(database, retry_first_s=0.001)
    job = submit(gateway).job
    away = ModelTrouble("model_unavailable", "away", is_permanent=False)
    worker = Worker(gateway, ScriptedModel([away] * (MAX_BAD_ANSWERS + 2)))

    for _ in range(MAX_BAD_ANSWERS + 2):
        worker.advance_job(job.id)

    assert load_job(gateway, job.id).status == "running"


def test_calls_of_one_turn_are_listed_in_the_models_order(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway).job
    calls = [call("send", f'{{"n": {number}}}') for number in range(12)]

    Worker(gateway, ScriptedModel([answer(*calls)])).advance_job(job.id)

    rows = load_approvals(gateway, job.id)
    by_list = sorted(rows, key=lambda row: (row.created_at, row.id))
    assert [row.position for row in by_list] == list(range(1, 13))
