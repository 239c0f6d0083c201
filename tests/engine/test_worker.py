"""How a worker starts, fails, rests and stops."""

import logging
import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy import text

from gateway.engine.engine import Engine
from gateway.errors import DatabaseUnavailable, SchemaOutdated, WorkerStopped
from gateway.store.session import Database
from tests.engine.workers import Notebook, Work, wait_until, working

CUT_ALL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_stopped_worker_leaves_no_thread(database: Database) -> None:
    before = set(threading.enumerate())
    notebook = Notebook()
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        notebook.wait_for(1)
    wait_until(lambda: set(threading.enumerate()) <= before, timeout_s=2.0)


def test_stopping_waits_for_what_runs(database: Database) -> None:
    notebook = Notebook(body=lambda _work: time.sleep(0.3))
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        wait_until(lambda: bool(notebook.begun_at_s))
        engine.stop(timeout_s=5.0)
        assert len(notebook.done) == 1
    assert _statuses(database) == {"job:job_1:adv:1": "SUCCESS"}


def test_stopping_does_not_wait_longer_than_it_was_told(database: Database) -> None:
    released = threading.Event()

    def body(_work: Work) -> None:
        released.wait(10.0)

    notebook = Notebook(body=body)
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        wait_until(lambda: bool(notebook.begun_at_s))
        began_s = time.monotonic()
        engine.stop(timeout_s=0.3)
        assert time.monotonic() - began_s < 2.0
    assert _statuses(database) == {"job:job_1:adv:1": "PENDING"}
    released.set()
    notebook.wait_for(1)


def test_worker_that_stops_takes_nothing_more(database: Database) -> None:
    notebook = Notebook(body=lambda _work: time.sleep(0.15))
    with working(database, notebook, model_concurrency=1) as engine:
        with database.write() as session:
            for number in range(20):
                engine.enqueue_advance(session, f"job_{number}", 1)
        wait_until(lambda: bool(notebook.begun_at_s))
        engine.stop(timeout_s=5.0)
        count = len(notebook.begun_at_s)
        time.sleep(0.2)
        assert len(notebook.begun_at_s) == count < 20
        assert "PENDING" not in _statuses(database).values()


def test_stopped_engine_can_be_started_again(database: Database) -> None:
    notebook = Notebook()
    engine = Engine(database)
    for round_number in (1, 2):
        engine.start(notebook.handlers(), model_concurrency=2, tool_concurrency=2, lease_s=5.0)
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", round_number)
        notebook.wait_for(round_number)
        engine.stop()


def test_work_is_tried_again_while_the_database_is_away(database: Database) -> None:
    failures: list[Exception] = [DatabaseUnavailable(), DatabaseUnavailable()]
    notebook = Notebook(body=lambda _work: _raise_next(failures))
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_run(session, "appr_1", 1, 1)
        assert notebook.wait_for(1) == [("run", "appr_1", "1")]
    assert failures == []
    assert _statuses(database) == {"call:appr_1:1:1": "SUCCESS"}


def test_work_that_waits_for_the_database_is_left_to_the_next_worker(database: Database) -> None:
    away = Notebook(body=lambda _work: _raise_next([DatabaseUnavailable()]))
    with working(database, away) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        wait_until(lambda: bool(away.begun_at_s))
    assert _statuses(database) == {"job:job_1:adv:1": "PENDING"}
    notebook = Notebook()
    with working(database, notebook):
        assert notebook.wait_for(1) == [("advance", "job_1")]


def test_worker_outlives_the_loss_of_all_connections(postgres_database: Database) -> None:
    notebook = Notebook()
    with working(postgres_database, notebook) as engine:
        with postgres_database.write() as session:
            session.connection().execute(CUT_ALL)
        wait_until(lambda: _enqueues(postgres_database, engine, "job_1"))
        notebook.wait_for(1)
        engine.check()


def test_failure_is_logged_and_kept_without_its_words(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    notebook = Notebook(body=lambda _work: _raise_next([ValueError("the customer's secret")]))
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        wait_until(lambda: _statuses(database) == {"job:job_1:adv:1": "ERROR"})
        kept = engine._client.list_workflows(status="ERROR")[0].error
    logged = [record for record in caplog.records if record.name == "gateway.engine.work"]
    assert [record.getMessage() for record in logged] == ["Queued work failed"]
    assert logged[0].exc_info is not None
    assert isinstance(logged[0].exc_info[1], ValueError)
    assert "ValueError" in str(kept)
    assert "secret" not in str(kept)


def test_concurrency_is_kept_softly(database: Database) -> None:
    counting, running, most = threading.Lock(), [0], [0]

    def body(_work: Work) -> None:
        with counting:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.03)
        with counting:
            running[0] -= 1

    notebook = Notebook(body=body)
    with working(database, notebook, model_concurrency=4) as engine:
        with database.write() as session:
            for number in range(32):
                engine.enqueue_advance(session, f"job_{number}", 1)
        notebook.wait_for(32)
    # DBOS counts what runs a moment late: measured up to 7 for a limit of 4.
    assert 3 <= most[0] <= 8


def test_slow_model_calls_do_not_hold_up_tools(database: Database) -> None:
    released = threading.Event()

    def body(work: Work) -> None:
        if work[0] == "advance":
            released.wait(10.0)

    notebook = Notebook(body=body)
    with working(database, notebook, model_concurrency=1) as engine:
        with database.write() as session:
            for number in range(5):
                engine.enqueue_advance(session, f"job_{number}", 1)
            engine.enqueue_run(session, "appr_1", 1, 1)
        assert notebook.wait_for(1) == [("run", "appr_1", "1")]
        released.set()
        notebook.wait_for(6)


def test_check_tells_a_worker_from_a_process_that_is_none(database: Database) -> None:
    engine = Engine(database)
    with pytest.raises(WorkerStopped):
        engine.check()
    engine.start(Notebook().handlers(), model_concurrency=1, tool_concurrency=1, lease_s=5.0)
    engine.check()
    assert engine.is_started
    engine.stop()
    with pytest.raises(WorkerStopped):
        engine.check()


def test_process_has_one_worker(database: Database) -> None:
    with working(database, Notebook()), pytest.raises(RuntimeError):
        Engine(database).start(Notebook().handlers(), model_concurrency=1, tool_concurrency=1, lease_s=5.0)


def test_worker_refuses_a_database_without_tables(database_url: str) -> None:
    database = Database(database_url)
    table = "dbos_migrations" if database.is_sqlite else "dbos.dbos_migrations"
    with database.write() as session:
        session.connection().execute(text(f"DELETE FROM {table}"))  # noqa: S608
    before = set(threading.enumerate())
    with pytest.raises(SchemaOutdated):
        Engine(database).start(Notebook().handlers(), model_concurrency=1, tool_concurrency=1, lease_s=5.0)
    wait_until(lambda: set(threading.enumerate()) <= before, timeout_s=2.0)
    database.dispose()


def test_purge_deletes_what_is_finished_and_nothing_else(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook) as engine:
        with database.write() as session:
            for number in range(3):
                engine.enqueue_advance(session, f"job_{number}", 1)
            engine.enqueue_advance(session, "job_later", 1, delay_s=3600.0)
        notebook.wait_for(3)
        wait_until(lambda: sorted(_statuses(database).values()) == ["DELAYED", "SUCCESS", "SUCCESS", "SUCCESS"])
        assert engine.purge(3600.0) == 0
        if database.is_sqlite:
            time.sleep(1.1)  # its times are whole seconds
        assert engine.purge(0.0) == 3
    assert _statuses(database) == {"job:job_later:adv:1": "DELAYED"}


def test_dbos_stays_off_the_console(sqlite_database: Database, capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("dbos").handlers.clear()
    with working(sqlite_database, Notebook()):
        pass
    assert capfd.readouterr() == ("", "")


def _enqueues(database: Database, engine: Engine, job_id: str) -> bool:
    try:
        with database.write() as session:
            engine.enqueue_advance(session, job_id, 1)
    except DatabaseUnavailable:
        return False
    return True


def _raise_next(failures: list[Exception]) -> None:
    with suppress(IndexError):
        raise failures.pop(0)


def _statuses(database: Database) -> dict[str, str]:
    schema = "" if database.is_sqlite else "dbos."
    with database.read() as session:
        rows = session.connection().execute(text(f"SELECT workflow_uuid, status FROM {schema}workflow_status"))  # noqa: S608
        return {row.workflow_uuid: row.status for row in rows}
