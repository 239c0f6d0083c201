"""Work is queued by the transaction that wants it, once."""

import json
import time
from contextlib import suppress

from sqlalchemy import text

from gateway.engine.engine import Engine
from gateway.store.session import Database
from tests.engine.workers import Notebook, working


class Changed(Exception):
    """The caller changed its mind."""


def test_committed_work_is_done_once(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
            engine.enqueue_run(session, "appr_1", 2, 7)
        notebook.wait_for(2)
        time.sleep(0.2)
    assert sorted(notebook.done) == [("advance", "job_1"), ("run", "appr_1", "2")]


def test_rolled_back_work_was_never_queued(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook) as engine:
        with suppress(Changed), database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
            raise Changed
        with database.write() as session:
            engine.enqueue_advance(session, "job_2", 1)
        assert notebook.wait_for(1) == [("advance", "job_2")]
        time.sleep(0.2)
    assert notebook.done == [("advance", "job_2")]


def test_same_sequence_number_is_queued_once(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook) as engine:
        for _ in range(2):
            with database.write() as session:
                engine.enqueue_advance(session, "job_1", 1)
                engine.enqueue_advance(session, "job_1", 1)
            notebook.wait_for(1)
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 2)
        notebook.wait_for(2)
        time.sleep(0.2)
    assert len(notebook.done) == 2


def test_delayed_work_waits(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1, delay_s=0.4)
        queued_at_s = time.perf_counter()
        notebook.wait_for(1)
    # At the latest DBOS's sweep (1 s) and a poll (1 s) after its time.
    assert 0.35 <= notebook.begun_at_s["advance", "job_1"] - queued_at_s <= 3.5


def test_work_queued_without_any_worker_is_kept(database: Database) -> None:
    engine = Engine(database)
    with database.write() as session:
        engine.enqueue_advance(session, "job_1", 1)
    notebook = Notebook()
    with working(database, notebook):
        assert notebook.wait_for(1) == [("advance", "job_1")]


def test_queued_work_is_kept_as_plain_json(database: Database) -> None:
    engine = Engine(database)
    with database.write() as session:
        engine.enqueue_run(session, "appr_1", 2, 7)
    with database.read() as session:
        schema = "" if database.is_sqlite else "dbos."
        kept = session.connection().execute(text(f"SELECT inputs FROM {schema}workflow_input")).scalar_one()  # noqa: S608
    assert json.loads(kept)["positionalArgs"] == ["appr_1", 2]
