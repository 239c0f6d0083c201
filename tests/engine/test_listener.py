"""Commits of other processes are heard, also after the connection was cut."""

import threading
import time

from sqlalchemy import text

from gateway.store.listener import Listener
from gateway.store.session import Database, announce
from tests.engine.workers import wait_until

CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN countersign%' AND datname = "
    "current_database()"
)


def test_commit_elsewhere_is_heard(postgres_url: str) -> None:
    here, elsewhere = Database(postgres_url), Database(postgres_url)
    heard: list[str] = []
    listener = Listener(here)
    with here.signals.listening(["job:1", "job:2"], heard.append):
        listener.start()
        wait_until(lambda: len(heard) >= 2)  # everything once, on connecting
        heard.clear()
        with elsewhere.write() as session:
            announce(session, "job:1", "job:3")
        wait_until(lambda: heard == ["job:1"])
        listener.stop()
    here.dispose()
    elsewhere.dispose()


def test_cut_connection_is_made_again_and_everything_is_woken(postgres_url: str) -> None:
    here, elsewhere = Database(postgres_url), Database(postgres_url)
    heard: list[str] = []
    listener = Listener(here)
    with here.signals.listening(["job:1"], heard.append):
        listener.start()
        wait_until(lambda: heard == ["job:1"])
        heard.clear()
        with elsewhere.write() as session:
            assert session.connection().execute(CUT).scalars().all() == [True]
        wait_until(lambda: heard == ["job:1"])
        heard.clear()
        with elsewhere.write() as session:
            announce(session, "job:1")
        wait_until(lambda: heard == ["job:1"])
        listener.stop()
    here.dispose()
    elsewhere.dispose()


def test_listener_stops_soon_and_closes_its_connection(postgres_database: Database) -> None:
    before = set(threading.enumerate())
    listener = Listener(postgres_database)
    listener.start()
    time.sleep(0.2)
    began_s = time.monotonic()
    listener.stop()
    assert time.monotonic() - began_s < 1.5
    assert set(threading.enumerate()) <= before
    with postgres_database.write() as session:
        assert session.connection().execute(CUT).scalars().all() == []


def test_sqlite_needs_no_listener(sqlite_database: Database) -> None:
    before = set(threading.enumerate())
    listener = Listener(sqlite_database)
    listener.start()
    assert set(threading.enumerate()) <= before
    listener.stop()
