"""A queue is woken by the commit that fills it, not by its next poll."""

import statistics
import threading
import time
from pathlib import Path

from sqlalchemy import text

from gateway.engine.engine import Engine
from gateway.engine.waking import WakeableEvents, Waker
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
            time.sleep(0.01 if number % 4 else 0.2)  # within and beyond the echoes of the last wake
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


def test_queue_thread_that_dies_is_replaced(sqlite_database: Database) -> None:
    notebook = Notebook()
    with working(sqlite_database, notebook) as engine:
        with sqlite_database.write() as session:
            session.connection().execute(text("DELETE FROM queues WHERE name = 'model'"))
        engine._worker._waker.wake("model")  # type: ignore[union-attr]
        wait_until(lambda: "queue-worker-model" not in {thread.name for thread in threading.enumerate()})
        engine._client.register_queue("model", worker_concurrency=4)
        wait_until(lambda: "queue-worker-model" in {thread.name for thread in threading.enumerate()})
        with sqlite_database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        notebook.wait_for(1, timeout_s=POLL_S / 2)


def test_wake_while_the_thread_is_busy_is_kept() -> None:
    waker = Waker()
    events = WakeableEvents(waker)
    event = threading.Event()
    events.append(event)
    waker.wake("model")
    woken_after_s = _time_wait(event, "queue-worker-model", timeout_s=5.0)
    assert woken_after_s < 1.0


def test_wake_of_one_queue_leaves_the_other_asleep() -> None:
    waker = Waker()
    event = threading.Event()
    WakeableEvents(waker).append(event)
    waker.wake("model")
    assert _time_wait(event, "queue-worker-tools", timeout_s=0.3) >= 0.3


def test_stop_event_still_ends_a_wait() -> None:
    event = threading.Event()
    WakeableEvents(Waker()).append(event)
    threading.Timer(0.05, event.set).start()
    assert event.wait(5.0) is True


def _time_wait(event: threading.Event, thread_name: str, *, timeout_s: float) -> float:
    began_s = time.monotonic()
    thread = threading.Thread(target=event.wait, args=(timeout_s,), name=thread_name)
    thread.start()
    thread.join()
    return time.monotonic() - began_s
