"""What came back from outside is not lost while the database is away: the worker that has it is alive."""

from collections.abc import Iterator

import pytest

from gateway.domain.event import EventName
from gateway.domain.execution import Resolution
from gateway.domain.turn import ModelAnswer, ModelRequest
from gateway.errors import DatabaseUnavailable
from gateway.runner.worker import Worker
from gateway.store.tables import Approval
from gateway.tools.base import CallContext, Outcome, Ran
from gateway.usecases import resolutions
from gateway.usecases.gateway import Gateway
from tests.factories import (
    answer,
    ask,
    call,
    change_execution,
    decide,
    event_names,
    load_execution,
    load_job,
    make_gateway,
    make_person,
    submit,
    tool_results,
)
from tests.fakes import AwayDatabase, RecordingTool, ScriptedModel


class DepartingModel(ScriptedModel):
    """While it answers, the database goes away."""

    def __init__(self, database: AwayDatabase) -> None:
        super().__init__([answer(text="Done.")])
        self._database = database

    def complete(self, request: ModelRequest) -> ModelAnswer:
        self._database.is_away = True
        return super().complete(request)


@pytest.fixture
def away_database(database_url: str) -> Iterator[AwayDatabase]:
    database = AwayDatabase(database_url)
    yield database
    database.dispose()


@pytest.fixture
def send(away_database: AwayDatabase) -> RecordingTool:
    """A tool that may not be called twice; its first call ends when the database is away."""

    def outcome(_context: CallContext) -> Outcome:
        away_database.is_away = len(tool.calls) == 1
        return Ran("sent")

    tool = RecordingTool("send", outcome=outcome)
    return tool


@pytest.fixture
def gateway(away_database: AwayDatabase, send: RecordingTool) -> Gateway:
    return make_gateway(away_database, send)


@pytest.fixture
def worker(gateway: Gateway) -> Worker:
    return Worker(gateway, ScriptedModel())


@pytest.fixture
def approval(gateway: Gateway, worker: Worker, away_database: AwayDatabase) -> Approval:
    """A call that has ended, and whose outcome could not be recorded."""
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            worker.run_call(approval.id, 1)
    away_database.is_away = False
    return approval


def test_outcome_of_a_call_is_recorded_once_the_database_is_back(
    gateway: Gateway, worker: Worker, approval: Approval, send: RecordingTool
) -> None:
    worker.run_call(approval.id, 1)

    assert len(send.calls) == 1
    execution = load_execution(gateway, approval.id)
    assert execution is not None
    assert (execution.status, execution.result) == ("succeeded", "sent")
    assert tool_results(gateway, approval.job_id or "") == ["sent"]


def test_another_attempt_that_a_person_wants_is_not_taken_for_the_one_that_is_left(
    gateway: Gateway, worker: Worker, approval: Approval, send: RecordingTool
) -> None:
    change_execution(gateway, approval.id, status="unknown")  # by a worker that took this one for dead
    resolutions.resolve(gateway, make_person(gateway), approval.id, Resolution.RUN_AGAIN)

    worker.run_call(approval.id, 2)

    assert [context.attempt for context in send.calls] == [1, 2]
    second = load_execution(gateway, approval.id, attempt=2)
    assert second is not None
    assert second.status == "succeeded"
    assert EventName.EXECUTION_FINISHED_LATE in event_names(gateway, approval.job_id or "")
    assert tool_results(gateway, approval.job_id or "") == ["sent"]


def test_answer_of_the_model_is_recorded_once_the_database_is_back(
    gateway: Gateway, away_database: AwayDatabase
) -> None:
    model = DepartingModel(away_database)
    worker = Worker(gateway, model)
    job_id = submit(gateway).job.id
    with pytest.raises(DatabaseUnavailable):
        worker.advance_job(job_id)
    away_database.is_away = False

    worker.advance_job(job_id)

    assert len(model.requests) == 1
    assert load_job(gateway, job_id).status == "succeeded"
