"""However many workers come to a model call at once, it is paid for once."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from gateway.domain.turn import ModelAnswer, ModelRequest
from gateway.runner.worker import Worker
from gateway.store import executors
from gateway.store.session import Database
from gateway.usecases import recovery
from gateway.usecases.gateway import Gateway
from tests.factories import answer, ask, call, decide, load_job, load_turn, make_gateway, make_person
from tests.fakes import RecordingTool, ScriptedModel
from tests.usecases.test_races import all_at_once

ROUNDS = 5


class SlowModel(ScriptedModel):
    """Answers only once everybody has had the time to ask too."""

    def __init__(self) -> None:
        super().__init__()
        self.has_time = threading.Event()

    def complete(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        self.has_time.wait(0.3)
        return answer(text="Done.")


@pytest.fixture
def gateways(database: Database) -> list[Gateway]:
    """Two processes that live; on SQLite there is one."""
    tools = [RecordingTool(), RecordingTool("write")]
    made = [make_gateway(database, *tools) for _ in range(1 if database.is_sqlite else 2)]
    with database.write() as session:
        for gateway in made:
            executors.beat(session, gateway.engine.executor_id, database.now(session))
    return made


def finish(worker: Worker, approval_id: str, job_id: str) -> None:
    worker.run_call(approval_id, 1)
    worker.advance_job(job_id)


def test_two_last_results_at_once_are_followed_by_one_model_call(gateways: list[Gateway]) -> None:
    gateway, person = gateways[0], make_person(gateways[0])
    for _ in range(ROUNDS):
        calls = ask(gateway, call("send"), call("write"))
        job_id = calls[0].job_id or ""
        for approval in calls:
            decide(gateway, person, approval)
        model = SlowModel()
        workers = [Worker(each, model) for each in gateways]

        steps: list[Callable[[], None]] = [
            partial(finish, workers[n % len(workers)], approval.id, job_id) for n, approval in enumerate(calls)
        ]
        assert all_at_once([*steps, *steps]) == ["ok"] * 4

        job = load_job(gateway, job_id)
        assert (job.status, job.rounds) == ("succeeded", 2)
        assert len(model.requests) == 1, "the second round was asked once"
        assert load_turn(gateway, job_id, 2).attempts == 1


def test_recovery_beside_a_call_in_progress_does_not_ask_again(gateways: list[Gateway]) -> None:
    gateway = gateways[0]
    model = SlowModel()
    workers = [Worker(each, model) for each in gateways]
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval)
    workers[0].run_call(approval.id, 1)
    job_id = approval.job_id or ""

    def recover() -> None:
        recovery._requeue_job(gateways[-1], job_id)
        workers[-1].advance_job(job_id)

    assert all_at_once([lambda: workers[0].advance_job(job_id), recover, recover]) == ["ok"] * 3

    assert len(model.requests) == 1
    assert load_turn(gateway, job_id, 2).attempts == 1
    assert load_job(gateway, job_id).status == "succeeded"
