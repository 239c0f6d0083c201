"""What the engine relies on: writers stand in line, readers do not, and neither loses work."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from gateway.engine.engine import Engine
from gateway.errors import DatabaseUnavailable
from gateway.store import executors
from gateway.store.session import Database, Session
from tests.engine.workers import Notebook, working

HELD_S = 0.4
CHANGE = "UPDATE executors SET beat_at = beat_at WHERE id = 'held'"


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


@pytest.mark.parametrize(
    "hold",
    [
        lambda session: session.connection().execute(text(CHANGE)),
        lambda session: session.run(CHANGE, ()),
        lambda session: (session.send(CHANGE, ()), session.run("SELECT 1", ())),
        lambda session: (session.run("SELECT 1", ()), session.send(CHANGE, ()), session.run("SELECT 1", ())),
    ],
    ids=["the usual way", "with its BEGIN", "sent first", "sent with another"],
)
def test_a_transaction_of_a_process_that_stands_still_ends_and_holds_nobody_up(
    hold: Callable[[Session], object], postgres_url: str, postgres_database: Database
) -> None:
    """A frozen process, or one that a network has cut off, would keep its locks for ever."""
    frozen, other = Database(postgres_url, stalled_after_s=0.3), postgres_database
    with other.write() as session:
        executors.beat(session, "held", other.now(session))
    with pytest.raises(DatabaseUnavailable):
        _hold_while(frozen, hold, lambda: _change_the_held_row(other))
    # It goes on with another connection.
    assert _change_the_held_row(frozen) == 1
    frozen.dispose()


def _hold_while(database: Database, hold: Callable[[Session], object], act: Callable[[], object]) -> None:
    with database.write() as session:
        hold(session)
        act()


def _change_the_held_row(database: Database) -> int:
    with database.write() as session:
        return session.connection().execute(text(CHANGE)).rowcount


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
