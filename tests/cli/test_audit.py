"""``countersign audit verify``"""

import os
import pty
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.store import decisions
from gateway.store.decisions import Entry
from gateway.store.session import Database
from tests.cli.commands import Commands


@pytest.fixture
def log(cli: Commands) -> Path:
    """The database file, with three decisions in it."""
    path = cli.folder / "var/countersign.db"
    database = Database(f"sqlite:///{path}")
    with database.write() as session:
        decisions.append(session, [entry(number) for number in (1, 2, 3)])
    database.dispose()
    return path


def entry(number: int) -> Entry:
    return Entry(
        id=f"dec_{number}", at=datetime(2026, 11, 21, 8, number, tzinfo=UTC), approval_id="apr_1", job_id="job_1",
        app="shop", origin="job", action="refund", verdict="approve", is_final=True, actor_kind="person",
        actor_id="per_1", actor_name="Rita", details_sha256="0" * 64, waited_ms=5,
    )  # fmt: skip


def tamper(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)
    database.close()


def test_untouched_log_is_intact(cli: Commands, log: Path):
    shown = cli.done("audit", "verify")

    with sqlite3.connect(log) as database:
        head = database.execute("SELECT hash FROM decision_head").fetchone()[0]
    database.close()
    assert shown == f"Intact: 3 decisions, head {head}\n"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE decisions SET note = 'fine' WHERE seq = 2", "Broken at decision 2: entry 2 was changed\n"),
        ("DELETE FROM decisions WHERE seq = 2", "Broken at decision 2: entry 2 is missing\n"),
        ("DELETE FROM decision_head", "Broken at decision 1: the head is missing"),
        ("DELETE FROM decisions WHERE seq = 3", "Broken at decision 3: entries were cut off the end"),
    ],
)
def test_first_bad_row_is_named(quick: Commands, log: Path, statement: str, said: str):
    tamper(log, statement)

    result = quick.run("audit", "verify")

    assert result.returncode == 1
    assert result.stdout.startswith(said)
    assert result.stderr == ""


def test_progress_on_a_terminal_leaves_standard_output_alone(cli: Commands, log: Path):
    keyboard, terminal = pty.openpty()
    result = subprocess.run(
        [sys.executable, "-m", "gateway", "audit", "verify"], cwd=cli.folder, env=cli.full_environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal, text=True, timeout=30, check=False,
    )  # fmt: skip
    os.close(terminal)
    shown = os.read(keyboard, 10_000).decode()
    os.close(keyboard)

    assert result.returncode == 0, shown
    assert result.stdout.startswith("Intact: 3 decisions, head ")
    assert "Checking" in shown
