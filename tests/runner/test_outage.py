"""A worker with its threads and queues, beside a model that is away for a while or that is asked by too many."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.domain.turn import ModelAnswer, ModelRequest, ModelTrouble
from gateway.runner.housekeeping import Housekeeping
from gateway.runner.worker import Worker
from gateway.store.session import Database
from gateway.usecases import jobs
from gateway.usecases.gateway import Gateway
from tests.engine.workers import wait_until
from tests.factories import (
    answer,
    ask,
    call,
    decide,
    event_names,
    load_job,
    make_app,
    make_gateway,
    make_person,
    submit,
)
from tests.fakes import RecordingTool

JOBS = 12
TIMEOUT_S = 60.0


class SharedModel:
    """Counts who asks; away while ``is_away``, else slow by ``takes_s``."""

    def __init__(self, *, is_away: bool = False, takes_s: float = 0.0) -> None:
        self.is_away, self.takes_s = is_away, takes_s
        self.asked = self.now = self.most = 0
        self._counting = threading.Lock()

    def complete(self, _request: ModelRequest) -> ModelAnswer:
        with self._counting:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.takes_s)
        with self._counting:
            self.now -= 1
        if self.is_away:
            raise ModelTrouble("model_unavailable", "503", is_permanent=False)
        return answer(text="Done.")


@contextmanager
def working(gateway: Gateway, model: SharedModel) -> Iterator[None]:
    housekeeping = Housekeeping(gateway)
    gateway.engine.start(Worker(gateway, model).handlers(), model_concurrency=8, tool_concurrency=4, lease_s=5.0)
    housekeeping.start()
    try:
        yield
    finally:
        housekeeping.stop()
        gateway.engine.stop(5.0)


def statuses(gateway: Gateway, job_ids: list[str]) -> set[str]:
    return {load_job(gateway, job_id).status for job_id in job_ids}


def test_jobs_wait_for_a_model_that_is_away_and_all_end_once_it_is_back(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool, circuit_failures=3, circuit_probe_s=1.0, retry_first_s=0.1)
    model, app = SharedModel(is_away=True), make_app()
    [approval] = ask(gateway, call("send"), actor=app)
    decide(gateway, make_person(gateway), approval)
    job_ids = [submit(gateway, app).job.id for _ in range(JOBS)]

    with working(gateway, model):
        wait_until(lambda: all("turn.delayed" in event_names(gateway, job_id) for job_id in job_ids), TIMEOUT_S)
        wait_until(lambda: len(tool.calls) == 1, TIMEOUT_S)  # approved tools run meanwhile
        assert statuses(gateway, job_ids) == {"running"}
        asked = model.asked
        time.sleep(3.0)
        assert model.asked - asked <= 5, "one try a second, not one by every job"
        cancelled = job_ids.pop()
        jobs.cancel(gateway, app, cancelled)
        model.is_away = False
        wait_until(lambda: statuses(gateway, job_ids) == {"succeeded"}, TIMEOUT_S)

    assert load_job(gateway, cancelled).status == "cancelled"
    assert all(load_job(gateway, job_id).rounds == 1 for job_id in job_ids)


def test_limit_holds_in_all_threads_and_nobody_is_forgotten(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(), model_limits={"*": 2})
    model = SharedModel(takes_s=0.05)
    job_ids = [submit(gateway).job.id for _ in range(JOBS)]

    with working(gateway, model):
        wait_until(lambda: statuses(gateway, job_ids) == {"succeeded"}, TIMEOUT_S)

    assert (model.asked, model.most) == (JOBS, 2)
