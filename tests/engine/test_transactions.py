"""What the engine relies on: writers stand in line, readers do not, and neither loses work."""

import threading
import time

import pytest
from sqlalchemy import text

from gateway.engine.engine import Engine
from gateway.store.session import Database
from tests.engine.workers import Notebook, working

HELD_S = 0.4


def test_second_writer_waits_from_its_first_select(sqlite_database: Database) -> None:
    waited_s = _time_while_writing(sqlite_database, reads_only=False)
    assert waited_s > HELD_S / 2


def test_reader_does_not_wait_for_a_writer(sqlite_database: Database) -> None:
    waited_s = _time_while_writing(sqlite_database, reads_only=True)
    assert waited_s < HELD_S / 2


def test_reader_cannot_write(database: Database) -> None:
    with database.read() as session, pytest.raises(Exception, match=r"readonly|read-only"):
        session.connection().execute(text("DELETE FROM executors"))


def test_writers_and_the_worker_do_not_disturb_each_other(database: Database) -> None:
    notebook = Notebook()
    errors: list[Exception] = []

    def write(engine: Engine, thread_number: int) -> None:
        try:
            for number in range(10):
                with database.write() as session:
                    engine.enqueue_advance(session, f"job_{thread_number}_{number}", 1)
        except Exception as error:
            errors.append(error)

    with working(database, notebook, model_concurrency=8) as engine:
        threads = [threading.Thread(target=write, args=(engine, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        notebook.wait_for(80)
    assert errors == []
    assert len(set(notebook.done)) == len(notebook.done) == 80


def _time_while_writing(database: Database, *, reads_only: bool) -> float:
    """Seconds until a SELECT is answered while another thread is writing for ``HELD_S``."""
    holds = threading.Event()

    def hold() -> None:
        with database.write() as session:
            session.connection().execute(text("SELECT 1"))
            holds.set()
            time.sleep(HELD_S)

    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait()
    began_s = time.monotonic()
    with database.read() if reads_only else database.write() as session:
        session.connection().execute(text("SELECT 1"))
    waited_s = time.monotonic() - began_s
    holder.join()
    return waited_s
