"""Commits of other processes are heard, also after the connection was cut or went dead."""

import threading
import time

import pytest

from gateway.store.accounts import CREDENTIALS_TOPIC
from gateway.store.listener import Listener
from gateway.store.session import Database, announce
from gateway.usecases import accounts
from tests.databases import CUT_LISTENERS
from tests.engine.relay import relaying
from tests.engine.workers import wait_until
from tests.factories import make_gateway, make_person, submit


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
            assert session.connection().execute(CUT_LISTENERS).scalars().all() == [True]
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
        assert session.connection().execute(CUT_LISTENERS).scalars().all() == []


def test_dead_connection_is_noticed_and_everybody_is_woken(postgres_url: str) -> None:
    elsewhere = Database(postgres_url)
    heard: list[str] = []
    with relaying(postgres_url) as relay:
        here = Database(relay.url)
        listener = Listener(here, silence_s=0.2, echo_s=0.2)
        with here.signals.listening(["job:1"], heard.append):
            listener.start()
            wait_until(lambda: heard == ["job:1"])
            relay.kill_links()
            with elsewhere.write() as session:
                announce(session, "job:1")
            wait_until(lambda: heard == ["job:1", "job:1"], timeout_s=30)
            with elsewhere.write() as session:
                announce(session, "job:1")
            wait_until(lambda: heard == ["job:1"] * 3)
            listener.stop()
        here.dispose()
    elsewhere.dispose()


def test_everybody_is_woken_from_time_to_time_where_listening_does_not_work(postgres_url: str) -> None:
    """Behind a pooler that gives each statement another session."""
    heard: list[str] = []
    with relaying(postgres_url, forgets=(b"LISTEN countersign", b"SELECT 1 -- no one")) as relay:
        here = Database(relay.url)
        listener = Listener(here, silence_s=0.1, echo_s=0.1)
        with here.signals.listening(["job:1"], heard.append):
            listener.start()
            wait_until(lambda: len(heard) >= 3)
            listener.stop()
        here.dispose()


def test_quiet_connection_is_kept(postgres_database: Database, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []
    listener = Listener(postgres_database, silence_s=0.05, echo_s=0.5)
    with postgres_database.signals.listening(["job:1"], heard.append):
        listener.start()
        time.sleep(1.5)
        listener.stop()
    assert heard == ["job:1"]  # on connecting
    assert caplog.messages == []


def test_end_of_a_credential_by_a_command_is_noticed_on_sqlite(sqlite_url: str) -> None:
    here, elsewhere = Database(sqlite_url), make_gateway(Database(sqlite_url))
    person = make_person(elsewhere)
    heard: list[str] = []
    listener = Listener(here, look_s=0.02)
    with here.signals.listening([CREDENTIALS_TOPIC], heard.append):
        listener.start()
        wait_until(lambda: len(heard) == 1)  # the first look compares with nothing
        submit(elsewhere)
        time.sleep(0.2)
        assert len(heard) == 1
        accounts.disable_person(elsewhere, email=person.email)
        wait_until(lambda: len(heard) == 2)
        listener.stop()
    here.dispose()
    elsewhere.database.dispose()
