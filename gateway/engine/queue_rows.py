"""Queued work as DBOS's rows: queueing it, taking it, putting it back and noting its end.

DBOS itself puts its statements together anew for every piece of work: queueing
one was a third of what a decision costs, and taking one more than doing it.
These are the same rows by prepared statements; contract tests compare them
with DBOS's column by column.
"""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.engine import queue_statements as statements
from gateway.engine.library import APPLICATION, APPLICATION_VERSION
from gateway.engine.queue_statements import WorkStatus
from gateway.store.session import Session


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
    added = statements.ADD.row(
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
    statements.ADD_INPUT.send(session, workflow_uuid=piece.id, inputs=inputs)
    return True


def take(session: Session, executor_id: str, queue: str, count: int) -> list[Piece]:
    """Up to so many pieces of the queue, the oldest first, are this process's own once the transaction commits."""
    taken = statements.TAKE.rows(
        session,
        wanted_queue=queue,
        wanted_count=count,
        executor_id=executor_id,
        owner_xid=str(uuid.uuid4()),
    )
    return [
        Piece(piece_id, queue, name, tuple(json.loads(inputs)["positionalArgs"])) for piece_id, name, inputs in taken
    ]


def has_waiting(session: Session, queue: str) -> bool:
    """True while something could be taken from the queue."""
    return statements.WAITING.row(session, wanted_queue=queue) is not None


@dataclass(frozen=True, slots=True)
class Begun:
    """A piece that some process has begun, for the ``attempt``-th time."""

    piece_id: str
    executor_id: str | None
    attempt: int


def begun(session: Session) -> list[Begun]:
    """All pieces that are being done, or would be if their processes lived."""
    return [Begun(*row) for row in statements.BEGUN.rows(session)]


def put_back(session: Session, piece: Begun) -> bool:
    """The piece waits in its queue again; False when it is not what it was: ended, or taken by somebody else."""
    return bool(
        statements.PUT_BACK.change(session, piece_id=piece.piece_id, executor=piece.executor_id, attempt=piece.attempt)
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """A piece that this process has done; ``error`` says in one word or sentence why it failed."""

    piece_id: str
    error: str | None = None


def end(session: Session, executor_id: str, pieces: Sequence[Ended]) -> None:
    """The rows say that these pieces, begun by this process, have ended; what somebody else took over stays theirs."""
    statements.END.send_each(
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


def finished(session: Session, before: datetime, count: int) -> list[str]:
    """The ids of up to so many pieces that ended before then, those that ended first."""
    before_ms = round(before.timestamp() * 1000)
    return [piece_id for (piece_id,) in statements.FINISHED.rows(session, before_ms=before_ms, count=count)]
