"""DBOS's rows of queued work, written as DBOS writes them, in a fraction of the time.

``DBOSClient.enqueue_in_transaction`` puts its two statements together anew for
every piece of work: a third of what a decision costs. These are the same rows
by prepared statements; a contract test compares them column by column.
"""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, TableClause, bindparam, column, literal_column, table, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.engine.library import APPLICATION, APPLICATION_VERSION, POSTGRES_SCHEMA
from gateway.store.prepared import Prepared
from gateway.store.session import Session

KINDS = ("sqlite", "postgresql")


class WorkStatus(StrEnum):
    """DBOS's words for where a piece of work stands, as far as we write them."""

    ENQUEUED = "ENQUEUED"
    DELAYED = "DELAYED"
    PENDING = "PENDING"  #: being done by the executor that it names
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work: which of the handlers is called, on which queue, with which ids."""

    id: str
    queue: str
    workflow: str
    arguments: tuple[str | int, ...]


def add(session: Session, piece: Piece, *, executor_id: str | None = None, delay_s: float = 0.0) -> bool:
    """The piece is queued once the transaction commits; False when its id was there before.

    With ``executor_id`` it is that process's own from the start, and nobody else's while that one lives.
    """
    token = str(uuid.uuid4())
    status = WorkStatus.ENQUEUED
    if executor_id is not None:
        status = WorkStatus.PENDING
    elif delay_s > 0:
        status = WorkStatus.DELAYED
    added = _ADD.row(
        session,
        workflow_uuid=piece.id,
        status=status.value,
        name=piece.workflow,
        queue_name=piece.queue,
        executor_id=executor_id,
        application_version=APPLICATION_VERSION,
        application_name=APPLICATION,
        serialization="portable_json",
        recovery_attempts=0 if executor_id is None else 1,
        creator_xid=token,
        owner_xid=None if executor_id is None else token,
        delay_until_epoch_ms=round((time.time() + delay_s) * 1000) if status is WorkStatus.DELAYED else None,
    )
    if added is None:
        return False
    inputs = json.dumps({"namedArgs": {}, "positionalArgs": piece.arguments}, separators=(",", ":"))
    _ADD_INPUT.send(session, workflow_uuid=piece.id, inputs=inputs)
    return True


@dataclass(frozen=True, slots=True)
class Ended:
    """A piece that this process has done; ``error`` says in one word or sentence why it failed."""

    piece_id: str
    error: str | None = None


def end(session: Session, executor_id: str, pieces: Sequence[Ended]) -> None:
    """The rows say that these pieces, begun by this process, have ended; what somebody else took over stays theirs."""
    _END.send_each(
        session,
        [
            {
                "piece_id": piece.piece_id,
                "executor": executor_id,
                "new_status": WorkStatus.SUCCESS if piece.error is None else WorkStatus.ERROR,
                "new_error": None
                if piece.error is None
                else json.dumps({"name": "WorkFailed", "message": piece.error}),
            }
            for piece in pieces
        ],
    )


def _table(kind: str, name: str, *columns: str) -> TableClause:
    return table(name, *(column(each) for each in columns), schema=POSTGRES_SCHEMA if kind == "postgresql" else None)


def _insert_once(kind: str, rows: TableClause) -> sqlite.Insert | postgresql.Insert:
    if kind == "sqlite":
        return sqlite.insert(rows).on_conflict_do_nothing()
    return postgresql.insert(rows).on_conflict_do_nothing()


_WRITTEN = (
    "workflow_uuid", "status", "name", "queue_name", "executor_id", "application_version", "application_name",
    "serialization", "recovery_attempts", "creator_xid", "owner_xid", "delay_until_epoch_ms",
)  # fmt: skip
_STATUS = {kind: _table(kind, "workflow_status", *_WRITTEN, "updated_at", "completed_at", "error") for kind in KINDS}
_INPUT = {kind: _table(kind, "workflow_input", "workflow_uuid", "inputs") for kind in KINDS}
#: The database's clock as DBOS takes it, in milliseconds; on SQLite in whole seconds.
_NOW_MS: dict[str, ColumnElement[int]] = {
    "sqlite": literal_column("(strftime('%s','now') * 1000)"),
    "postgresql": literal_column("(extract(epoch FROM now()) * 1000)::bigint"),
}
_ADD = Prepared(
    {kind: _insert_once(kind, status).returning(status.c.workflow_uuid) for kind, status in _STATUS.items()},
    _WRITTEN,
)
_ADD_INPUT = Prepared({kind: _insert_once(kind, rows) for kind, rows in _INPUT.items()}, ("workflow_uuid", "inputs"))
_END = Prepared(
    {
        kind: update(status)
        .where(
            status.c.workflow_uuid == bindparam("piece_id"),
            status.c.status == WorkStatus.PENDING.value,
            status.c.executor_id == bindparam("executor"),
        )
        .values(
            status=bindparam("new_status"),
            error=bindparam("new_error"),
            owner_xid=None,
            updated_at=_NOW_MS[kind],
            completed_at=_NOW_MS[kind],
        )
        for kind, status in _STATUS.items()
    }
)
