"""What the database holds, read past all of our own code: by the driver, over a connection of its own."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from gateway.store.session import Database

#: By column.
Row = Any


#: A handler and what it is called with: pieces of work with the same key do the same.
Key = tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """One piece of queued work: the handler's name and what it is called with."""

    id: str
    handler: str
    arguments: tuple[str, ...]

    @property
    def key(self) -> Key:
        return (self.handler, *self.arguments)


@dataclass(frozen=True)
class Rows:
    """All rows that an invariant speaks of, at one moment."""

    jobs: dict[str, Row] = field(default_factory=dict)
    approvals: dict[str, Row] = field(default_factory=dict)
    executions: dict[tuple[str, int], Row] = field(default_factory=dict)
    messages: dict[tuple[str, int, int], str] = field(default_factory=dict)
    #: (least, greatest, how many) of the numbers of each job's events.
    events: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    decisions: list[Row] = field(default_factory=list)
    head: tuple[int, str] = (0, "")
    pieces: list[Piece] = field(default_factory=list)

    def approvals_of(self, job_id: str, round: int) -> list[Row]:
        rows = (row for row in self.approvals.values() if row["job_id"] == job_id and row["round"] == round)
        return sorted(rows, key=lambda row: row["position"])

    def results_of(self, job_id: str, round: int) -> dict[int, Row]:
        """The tool messages of a round by their slot."""
        return {
            slot: json.loads(body)
            for (of_job, of_round, slot), body in self.messages.items()
            if (of_job, of_round) == (job_id, round) and slot > 0
        }


#: One statement; the rows that it gives.
Ask = Callable[[LiteralString], Iterable[Row]]


@contextmanager
def reading(database: Database) -> Iterator[Ask]:
    """A connection of the driver's own; every question sees what is committed."""
    if database.is_sqlite:
        sqlite = sqlite3.connect(str(database.url.database), isolation_level=None, check_same_thread=False)
        sqlite.row_factory = sqlite3.Row
        try:
            yield lambda statement: sqlite.execute(statement)
        finally:
            sqlite.close()
        return
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(
        url, autocommit=True, row_factory=dict_row, options="-c search_path=public,dbos -c timezone=UTC"
    ) as connection:
        yield lambda statement: connection.execute(statement)


def read_rows(ask: Ask) -> Rows:
    """Everything as it is now. On PostgreSQL the engine's schema must be on the search path."""
    pieces = ask(
        "SELECT s.workflow_uuid AS id, s.name AS handler, i.inputs AS inputs"
        " FROM workflow_status s JOIN workflow_input i ON i.workflow_uuid = s.workflow_uuid ORDER BY s.workflow_uuid"
    )
    [head] = ask("SELECT seq, hash FROM decision_head")
    events = ask("SELECT job_id, min(seq) AS least, max(seq) AS greatest, count(*) AS many FROM events GROUP BY job_id")
    return Rows(
        jobs={row["id"]: row for row in ask("SELECT * FROM jobs")},
        approvals={row["id"]: row for row in ask("SELECT * FROM approvals")},
        executions={(row["approval_id"], row["attempt"]): row for row in ask("SELECT * FROM executions")},
        messages={
            (row["job_id"], row["round"], row["slot"]): row["body"]
            for row in ask("SELECT job_id, round, slot, body FROM messages")
        },
        events={row["job_id"]: (row["least"], row["greatest"], row["many"]) for row in events},
        decisions=list(ask("SELECT * FROM decisions ORDER BY seq")),
        head=(head["seq"], head["hash"]),
        pieces=[_piece(row) for row in pieces],
    )


def _piece(row: Row) -> Piece:
    given = json.loads(row["inputs"])["positionalArgs"]
    return Piece(row["id"], row["handler"], tuple(str(argument) for argument in given))
