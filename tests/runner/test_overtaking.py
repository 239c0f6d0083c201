"""The next step of a job may begin before the thread of the step before, whose commit queued it, has left."""

import dataclasses
import threading
from functools import partial

from gateway.engine.engine import Engine
from gateway.runner.worker import Worker
from gateway.store.session import Database, Session
from gateway.usecases import jobs
from tests.factories import answer, call, load_job, make_app, make_gateway, submission
from tests.fakes import ScriptedModel

LEAVES_AFTER_S = 0.3


class HastyEngine(Engine):
    """Begins a job's next step in the commit that queues it; the committing thread leaves a little later."""

    worker: Worker

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.threads: list[threading.Thread] = []

    def enqueue_advance(self, session: Session, job_id: str, seq: int, *, delay_s: float = 0.0) -> None:
        session.after_commit.append(partial(self._begin, job_id))

    def _begin(self, job_id: str) -> None:
        thread = threading.Thread(target=self.worker.advance_job, args=(job_id,))
        self.threads.append(thread)
        thread.start()
        thread.join(LEAVES_AFTER_S)


def test_step_that_begins_before_the_last_one_has_left_is_done(sqlite_database: Database) -> None:
    engine = HastyEngine(sqlite_database)
    gateway = dataclasses.replace(make_gateway(sqlite_database), engine=engine)
    no_such_tool = answer(call("no_such_tool"))
    model = ScriptedModel([no_such_tool, no_such_tool, answer(text="Done.")])
    engine.worker = Worker(gateway, model)

    job = jobs.submit(gateway, make_app(), submission()).job
    for thread in engine.threads:  # grows while it is walked
        thread.join()

    assert load_job(gateway, job.id).status == "succeeded"
    assert len(model.requests) == 3
