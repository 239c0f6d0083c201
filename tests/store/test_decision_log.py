"""The log of decisions: append-only in the database, chained, and every change of it found and named."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from gateway.domain.chain import COVERED, GENESIS, Break
from gateway.store import decisions
from gateway.store.decisions import Entry
from gateway.store.session import Database
from gateway.usecases import audit
from tests.factories import make_gateway

SQLITE_TRIGGERS = ("decisions_no_update", "decisions_no_delete", "decisions_no_replace")
POSTGRES_TRIGGERS = ("decisions_no_change", "decisions_no_truncate")
START = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def entry(number: int, **changes: Any) -> Entry:
    """A decision in which no column is empty."""
    values: dict[str, Any] = {
        "id": f"dec_{number}",
        "at": START + timedelta(microseconds=number),
        "approval_id": f"apr_{number}",
        "job_id": f"job_{number}",
        "app": "shop",
        "origin": "job",
        "action": "send",
        "verdict": "approve",
        "is_final": True,
        "actor_kind": "person",
        "actor_id": "per_1",
        "actor_name": "Ä 😀",
        "actor_role": "reviewer",
        "channel": "api",
        "rule_id": "rul_1",
        "rule_version": 2,
        "details_sha256": "a" * 64,
        "effective_sha256": "b" * 64,
        "modified_details": '{"n": 1.00, "big": 12345678901234567890}',
        "note": "é\n",
        "reason_code": "r",
        "response": "x",
        "waited_ms": 2**40 + number,
    }
    return Entry(**{**values, **changes})


EMPTY = {
    "job_id": None,
    "app": None,
    "actor_id": None,
    "actor_name": None,
    "actor_role": None,
    "channel": None,
    "rule_id": None,
    "rule_version": None,
    "effective_sha256": None,
    "modified_details": None,
    "note": None,
    "reason_code": None,
    "response": None,
}

#: For every covered column a value that no entry has.
OTHER: dict[str, Any] = {
    "id": "dec_x",
    "at": START - timedelta(seconds=1),
    "approval_id": "apr_x",
    "job_id": None,
    "app": "",
    "origin": "chat",
    "action": "sent",
    "verdict": "reject",
    "is_final": False,
    "actor_kind": "rule",
    "actor_id": "per_2",
    "actor_name": "A 😀",
    "actor_role": "admin",
    "channel": "page",
    "rule_id": "",
    "rule_version": 3,
    "details_sha256": "c" * 64,
    "effective_sha256": "a" * 64,
    "modified_details": '{"n": 1.0, "big": 12345678901234567890}',
    "note": "é",
    "reason_code": None,
    "response": "",
    "waited_ms": 0,
    "prev_hash": "d" * 64,
    "entry_hash": "e" * 64,
}


def append(database: Database, *entries: Entry) -> None:
    with database.write() as session:
        decisions.append(session, entries)


def filled(database: Database, count: int = 10) -> None:
    append(database, *(entry(n, **(EMPTY if n % 2 else {})) for n in range(1, count + 1)))


def as_owner(database: Database, *statements: str, **values: Any) -> None:
    """What the database's owner can do: the triggers do not stop them."""
    triggers = SQLITE_TRIGGERS if database.is_sqlite else POSTGRES_TRIGGERS
    with database.engine.begin() as connection:
        for trigger in triggers:
            suffix = "" if database.is_sqlite else " ON decisions"
            connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}{suffix}"))
        for statement in statements:
            connection.execute(text(statement), values)


def found(database: Database) -> Break | None:
    return audit.verify(make_gateway(database)).break_


def test_empty_log_holds(database: Database) -> None:
    verification = audit.verify(make_gateway(database))

    assert (verification.count, verification.head_hash, verification.break_) == (0, GENESIS, None)


def test_entries_follow_from_one_another_and_the_head_is_the_last(database: Database) -> None:
    filled(database, 3)
    append(database)
    append(database, entry(4))

    with database.read() as session:
        rows = list(decisions.chain(session))
        head = decisions.head(session)
    assert head is not None
    assert [row["seq"] for row in rows] == [1, 2, 3, 4]
    assert [row["prev_hash"] for row in rows] == [GENESIS, *(row["entry_hash"] for row in rows[:-1])]
    assert (head.seq, head.hash, head.at) == (4, rows[-1]["entry_hash"], rows[-1]["at"])
    assert rows[3]["modified_details"] == entry(4).modified_details
    assert found(database) is None


def test_log_is_verified_across_batches(sqlite_database: Database) -> None:
    filled(sqlite_database, decisions.STREAM_BATCH * 2 + 1)
    seen: list[tuple[int, int]] = []

    verification = audit.verify(make_gateway(sqlite_database), lambda done, total: seen.append((done, total)))

    assert (verification.count, verification.break_) == (1001, None)
    assert seen == [(1000, 1001)]


def test_rolled_back_decision_leaves_no_gap(database: Database) -> None:
    filled(database, 2)
    with contextlib.suppress(RuntimeError), database.write() as session:
        decisions.append(session, [entry(3)])
        raise RuntimeError
    append(database, entry(4))

    with database.read() as session:
        assert [row["id"] for row in decisions.chain(session)] == ["dec_1", "dec_2", "dec_4"]
    assert found(database) is None


def test_every_changed_column_is_found_and_its_row_named(database: Database) -> None:
    assert set(OTHER) == (set(COVERED) | {"prev_hash", "entry_hash"}) - {"seq"}
    filled(database)
    with database.read() as session:
        rows = {row["seq"]: row for row in decisions.chain(session)}
    types = {"at": "TIMESTAMPTZ"} if not database.is_sqlite else {}

    for column, other in OTHER.items():
        for seq in (2, 6, 10):
            for value in (other, rows[seq][column]):
                stored = value.strftime("%Y-%m-%d %H:%M:%S.%f") if database.is_sqlite and column == "at" else value
                cast = f"CAST(:value AS {types[column]})" if column in types else ":value"
                as_owner(database, f"UPDATE decisions SET {column} = {cast} WHERE seq = :seq", value=stored, seq=seq)  # noqa: S608
                broken = found(database)
                if value == other:
                    assert broken is not None, (column, seq)
                    assert broken.seq == seq, (column, seq, broken)
                else:
                    assert broken is None, (column, seq, broken)


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("DELETE FROM decisions WHERE seq = 4", 4),
        ("DELETE FROM decisions WHERE seq = 1", 1),
        ("DELETE FROM decisions WHERE seq > 8", 9),
        ("DELETE FROM decisions", 1),
        ("UPDATE decisions SET seq = 40 WHERE seq = 4", 4),
        ("UPDATE decision_head SET seq = 9", 10),
        ("UPDATE decision_head SET seq = 11", 11),
        ("UPDATE decision_head SET hash = 'f'", 10),
    ],
)
def test_missing_and_cut_entries_are_named(database: Database, statement: str, seq: int) -> None:
    filled(database)

    as_owner(database, statement)

    broken = found(database)
    assert broken is not None
    assert broken.seq == seq
    assert broken.reason


def test_swapped_entries_are_found(database: Database) -> None:
    filled(database)
    as_owner(
        database,
        "UPDATE decisions SET seq = 99 WHERE seq = 4",
        "UPDATE decisions SET seq = 4 WHERE seq = 7",
        "UPDATE decisions SET seq = 7 WHERE seq = 99",
    )

    broken = found(database)

    assert broken is not None
    assert broken.seq == 4


@pytest.mark.parametrize("column", ["at", "is_final", "waited_ms", "rule_version", "note"])
@pytest.mark.parametrize(
    "value", ["'x026-01-01'", "'2026-01-01 12:00:00'", "7", "1.5", "1e999", "x'00ff'", "CAST(x'ff' AS TEXT)"]
)
def test_value_that_cannot_even_be_read_is_a_broken_entry(sqlite_database: Database, column: str, value: str) -> None:
    filled(sqlite_database)

    as_owner(sqlite_database, f"UPDATE decisions SET {column} = {value} WHERE seq = 6")  # noqa: S608

    broken = found(sqlite_database)
    assert broken is not None
    assert broken.seq == 6


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decisions SET note = 'x' WHERE seq = 2",
        "UPDATE decisions SET note = note",
        "DELETE FROM decisions WHERE seq = 3",
        "DELETE FROM decisions",
    ],
)
def test_database_refuses_to_change_or_delete_a_decision(database: Database, statement: str) -> None:
    filled(database)

    with pytest.raises(DatabaseError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))

    assert found(database) is None


@pytest.mark.parametrize("changed", ["id", "seq", "entry_hash"])
def test_sqlite_refuses_to_replace_a_decision(sqlite_database: Database, changed: str) -> None:
    filled(sqlite_database)
    values = ", ".join(
        {"id": "'new'", "seq": "50", "entry_hash": "'new'", "note": "'x'"}.get(name, name)
        if name in {changed, "note"}
        else name
        for name in [*COVERED, "prev_hash", "entry_hash"]
    )
    columns = ", ".join([*COVERED, "prev_hash", "entry_hash"])
    for verb in ("INSERT OR REPLACE", "REPLACE"):
        with pytest.raises(DatabaseError, match="append-only"), sqlite_database.engine.begin() as connection:
            connection.execute(text(f"{verb} INTO decisions ({columns}) SELECT {values} FROM decisions WHERE seq = 2"))  # noqa: S608
    assert found(sqlite_database) is None


@pytest.mark.parametrize("statement", ["TRUNCATE decisions", "TRUNCATE decisions CASCADE"])
def test_postgres_refuses_to_truncate_decisions(postgres_database: Database, statement: str) -> None:
    filled(postgres_database)

    with pytest.raises(DatabaseError, match="append-only"), postgres_database.engine.begin() as connection:
        connection.execute(text(statement))

    assert found(postgres_database) is None


def test_many_writers_neither_fork_the_chain_nor_leave_a_gap(database: Database) -> None:
    ready = threading.Barrier(8)

    def write(writer: int) -> None:
        ready.wait()
        for n in range(50):
            append(database, entry(writer * 1000 + n), *([entry(writer * 1000 + 500 + n)] if n % 10 == 0 else []))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))

    verification = audit.verify(make_gateway(database))
    assert (verification.count, verification.break_) == (8 * 55, None)
