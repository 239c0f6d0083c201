"""Work of a process that died is done by one that lives; work of a living one is left alone."""

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.engine.engine import Engine
from gateway.store import executors
from gateway.store.session import Database, Session
from tests.engine.workers import Notebook, other_process, wait_until, working
from tests.fakes import AwayDatabase

LEASE_S = 0.5


def test_restart_on_sqlite_runs_again_what_was_cut_off(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    with database.write() as session:
        Engine(database).enqueue_advance(session, "job_1", 1)
    with other_process(sqlite_url, tmp_path / "notes", body_s=60.0) as killed:
        wait_until(lambda: killed.begun() == ["job_1"])
        killed.kill()
    notebook = Notebook()
    began_s = time.monotonic()
    with working(database, notebook):
        assert notebook.wait_for(1) == [("advance", "job_1")]
    assert time.monotonic() - began_s < 2.0
    database.dispose()


def test_dead_worker_on_postgres_loses_its_work_to_a_living_one(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    with database.write() as session:
        Engine(database).enqueue_advance(session, "job_1", 1)
    notebook = Notebook()
    with other_process(postgres_url, tmp_path / "notes", body_s=60.0, lease_s=LEASE_S) as killed:
        wait_until(lambda: killed.begun() == ["job_1"])
        with working(database, notebook, lease_s=LEASE_S):
            time.sleep(1.5 * LEASE_S)
            assert notebook.done == []
            killed.kill()
            began_s = time.monotonic()
            assert notebook.wait_for(1) == [("advance", "job_1")]
            # The lease, the next look for the dead, and room for a slow machine.
            assert time.monotonic() - began_s < 4.0
    database.dispose()


def test_two_workers_share_the_work_without_doing_any_twice(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    notebook = Notebook(body=lambda _work: time.sleep(0.02))
    job_ids = {f"job_{number}" for number in range(50)}
    with (
        other_process(postgres_url, tmp_path / "notes", body_s=0.02, lease_s=LEASE_S) as other,
        working(database, notebook, lease_s=LEASE_S) as engine,
    ):
        for job_id in sorted(job_ids):
            with database.write() as session:
                engine.enqueue_advance(session, job_id, 1)
        wait_until(lambda: len(other.begun()) + len(notebook.done) >= len(job_ids))
        time.sleep(1.5 * LEASE_S)
        here, there = [job_id for _, job_id in notebook.done], other.begun()
    database.dispose()
    assert sorted(here + there) == sorted(job_ids)
    assert here
    assert there


def test_claimed_work_that_never_began_is_found(database: Database) -> None:
    """DBOS claims, then starts: what fails in between stays pending under the name of a living worker."""
    notebook = Notebook()
    with working(database, notebook, lease_s=LEASE_S) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1, delay_s=3600.0)
            _pretend_claimed(database, session, engine.executor_id)
        assert notebook.wait_for(1) == [("advance", "job_1")]
        time.sleep(LEASE_S)
    assert len(notebook.done) == 1


def test_abandoned_work_does_not_wait_for_a_long_lease(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook, lease_s=60.0) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1, delay_s=3600.0)
            _pretend_claimed(database, session, engine.executor_id)
        notebook.wait_for(1, timeout_s=5.0)


def test_long_work_of_a_living_worker_is_not_taken_for_abandoned(database: Database) -> None:
    notebook = Notebook(body=lambda _work: time.sleep(1.5 * LEASE_S))
    with working(database, notebook, lease_s=LEASE_S) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
        notebook.wait_for(1)
        time.sleep(LEASE_S / 2)
    assert len(notebook.done) == 1


def test_executor_is_alive_while_it_holds_its_lease(postgres_database: Database) -> None:
    web, worker = Engine(postgres_database), Engine(postgres_database)
    assert not _sees(postgres_database, worker, web.executor_id)
    web.hold_lease(LEASE_S)
    worker.hold_lease(LEASE_S)
    time.sleep(1.5 * LEASE_S)
    assert _sees(postgres_database, worker, web.executor_id)
    web.stop()
    assert not _sees(postgres_database, worker, web.executor_id)
    worker.stop()


def test_executor_that_falls_silent_is_dead_after_its_lease(postgres_database: Database) -> None:
    engine = Engine(postgres_database)
    with postgres_database.write() as session:
        executors.beat(session, "gone", postgres_database.now(session))
    engine.hold_lease(0.5)
    assert _sees(postgres_database, engine, "gone")
    time.sleep(0.6)
    assert not _sees(postgres_database, engine, "gone")
    engine.stop()


def test_nobody_is_taken_for_dead_by_one_who_could_not_reach_the_database(postgres_url: str) -> None:
    """After an outage that is longer than the lease everybody seems silent; one who lives has to have time to beat."""
    database = AwayDatabase(postgres_url)
    engine = Engine(database)
    with database.write() as session:
        executors.beat(session, "other", database.now(session))
    engine.hold_lease(LEASE_S)
    database.is_away = True
    time.sleep(1.5 * LEASE_S)
    assert _sees(database, engine, "other")
    database.is_away = False
    time.sleep(LEASE_S / 2)  # by now it has beaten again itself
    assert _sees(database, engine, "other")
    time.sleep(1.5 * LEASE_S)
    assert not _sees(database, engine, "other")
    engine.stop()
    database.dispose()


@pytest.mark.parametrize("other", ["", "0" * 32])
def test_on_sqlite_only_this_process_is_alive(sqlite_database: Database, other: str) -> None:
    engine = Engine(sqlite_database)
    assert _sees(sqlite_database, engine, engine.executor_id)
    assert not _sees(sqlite_database, engine, other)


def _sees(database: Database, engine: Engine, executor_id: str) -> bool:
    with database.read() as session:
        return engine.is_executor_alive(session, executor_id, database.now(session))


def _pretend_claimed(database: Database, session: Session, executor_id: str) -> None:
    schema = "" if database.is_sqlite else "dbos."
    session.connection().execute(
        text(f"UPDATE {schema}workflow_status SET status = 'PENDING', executor_id = :id, recovery_attempts = 1"),  # noqa: S608
        {"id": executor_id},
    )
