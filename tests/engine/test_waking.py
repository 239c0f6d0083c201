"""A queue is woken by the commit that fills it, not by its next poll."""

import statistics
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.engine import worker
from gateway.engine.engine import Engine
from gateway.errors import WorkerStopped
from gateway.store.session import Database
from tests.engine.workers import Notebook, other_process, wait_until, working

POLL_S = 1.0


def test_work_begins_long_before_the_next_poll(database: Database) -> None:
    notebook = Notebook()
    latencies_s = []
    with working(database, notebook) as engine:
        for number in range(12):
            job_id = f"job_{number}"
            with database.write() as session:
                engine.enqueue_advance(session, job_id, 1)
            committed_at_s = time.perf_counter()
            notebook.wait_for(number + 1)
            latencies_s.append(notebook.begun_at_s["advance", job_id] - committed_at_s)
            time.sleep(0.01 if number % 4 else 0.2)
    assert statistics.median(latencies_s) < 0.2


def test_worker_can_be_woken_from_its_start(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        notebook.wait_for(1, timeout_s=POLL_S / 2)


def test_backlog_drains_without_waiting_for_polls(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook, model_concurrency=4) as engine:
        with database.write() as session:
            for number in range(40):
                engine.enqueue_advance(session, f"job_{number}", 1)
        notebook.wait_for(40, timeout_s=40 / 4 * POLL_S / 3)
    assert len(set(notebook.done)) == 40


def test_commit_of_another_process_wakes_the_worker(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    engine = Engine(database)
    with other_process(postgres_url, tmp_path / "notes") as other:
        latencies_s = []
        for number in range(5):
            with database.write() as session:
                engine.enqueue_advance(session, f"job_{number}", 1)
            committed_at_s = time.perf_counter()
            wait_until(lambda number=number: len(other.begun()) > number)  # type: ignore[misc]
            latencies_s.append(time.perf_counter() - committed_at_s)
            time.sleep(0.2)
    database.dispose()
    assert statistics.median(latencies_s) < 0.2


def test_what_nobody_told_of_is_found(database: Database) -> None:
    """As after a lost notice, and as DBOS leaves what has become due."""
    notebook = Notebook()
    with working(database, notebook) as engine:
        time.sleep(0.3)  # the looks of the start are over
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1, delay_s=0.1)
        notebook.wait_for(1, timeout_s=4.0)


def test_dbos_thread_that_dies_is_replaced(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours need DBOS's for what becomes due: a worker without them says so."""
    monkeypatch.setattr(worker, "POLL_S", 0.2)
    with working(sqlite_database, Notebook()) as engine:
        with sqlite_database.write() as session:
            session.connection().execute(text("DELETE FROM queues WHERE name = 'model'"))
        wait_until(lambda: "queue-worker-model" not in {thread.name for thread in threading.enumerate()})
        with pytest.raises(WorkerStopped):
            engine.check()
        engine._client.register_queue("model", worker_concurrency=4)
        wait_until(lambda: "queue-worker-model" in {thread.name for thread in threading.enumerate()})
        engine.check()
