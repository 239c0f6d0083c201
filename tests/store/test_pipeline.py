"""Statements that go to PostgreSQL together, as the wire shows them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, make_url

from gateway.store.pipeline import one_trip

Connection = psycopg.Connection[Any]
LONG = "x" * 4_000_000  # more than both ends of a connection keep for each other


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    url: URL = make_url(postgres_url)
    with psycopg.connect(dbname=url.database, user=url.username, host=str(url.query["host"])) as opened:
        yield opened


@contextmanager
def traced(connection: Connection, path: Path) -> Iterator[list[str]]:
    """The names of the messages, F by us and B by the server, once the block has ended."""
    messages: list[str] = []
    with path.open("w") as file:
        connection.pgconn.trace(file.fileno())
        yield messages
        connection.pgconn.untrace()
    messages.extend(" ".join(found) for found in re.findall(r"\t([FB])\t\d+\t(\w+)", path.read_text()))


def test_begin_goes_with_the_first_statement(connection: Connection, tmp_path: Path) -> None:
    cursor = connection.cursor()
    with traced(connection, tmp_path / "wire") as messages, one_trip(connection):
        cursor.execute("SELECT 1")

    assert cursor.fetchall() == [(1,)]
    assert connection.info.transaction_status == TransactionStatus.INTRANS
    assert _trips(messages) == 1
    assert "F Flush" not in messages


def test_several_statements_are_one_trip(connection: Connection, tmp_path: Path) -> None:
    cursors = [connection.cursor() for _ in range(3)]
    connection.execute("SELECT 1")
    with traced(connection, tmp_path / "wire") as messages, one_trip(connection):
        for number, cursor in enumerate(cursors):
            cursor.execute("SELECT %s::int", (number,))

    assert [cursor.fetchone() for cursor in cursors] == [(0,), (1,), (2,)]
    assert _trips(messages) == 1
    assert "F Flush" not in messages


def test_error_of_one_is_raised_and_ends_the_transaction(connection: Connection) -> None:
    connection.execute("SELECT 1")
    with pytest.raises(psycopg.errors.DivisionByZero):
        _run(connection, "SELECT 1 / 0", "SELECT 2")

    assert connection.info.transaction_status == TransactionStatus.INERROR
    connection.rollback()
    assert connection.execute("SELECT 3").fetchone() == (3,)


def test_text_longer_than_what_the_connection_keeps_goes_both_ways(
    connection: Connection,
) -> None:
    cursors = [connection.cursor() for _ in range(3)]
    connection.execute("SELECT 1")
    with one_trip(connection):
        for cursor in cursors:
            cursor.execute("SELECT %s::text", (LONG,))

    assert all(cursor.fetchone() == (LONG,) for cursor in cursors)


def _run(connection: Connection, *statements: LiteralString) -> None:
    with one_trip(connection):
        for statement in statements:
            connection.cursor().execute(statement)


def _trips(messages: list[str]) -> int:
    """How often the server was waited for."""
    return sum(1 for last, this in pairwise(messages) if last[0] == "F" and this[0] == "B")
