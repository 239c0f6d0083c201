"""The SQL of queued work, for DBOS's tables on either kind of database."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    TableClause,
    bindparam,
    column,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.engine.library import APPLICATION, APPLICATION_VERSION, POSTGRES_SCHEMA
from gateway.store.prepared import Prepared

KINDS = ("sqlite", "postgresql")


class WorkStatus(StrEnum):
    """DBOS's words for where a piece of work stands, as far as we write them."""

    ENQUEUED = "ENQUEUED"
    DELAYED = "DELAYED"
    PENDING = "PENDING"  #: being done by the executor that it names
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


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
_READ = ("priority", "created_at", "started_at_epoch_ms", "updated_at", "completed_at", "error")
_STATUS = {kind: _table(kind, "workflow_status", *_WRITTEN, *_READ) for kind in KINDS}
_INPUT = {kind: _table(kind, "workflow_input", "workflow_uuid", "inputs") for kind in KINDS}
#: The database's clock as DBOS takes it, in milliseconds; on SQLite in whole seconds.
_NOW_MS: dict[str, ColumnElement[int]] = {
    "sqlite": literal_column("(strftime('%s','now') * 1000)"),
    "postgresql": literal_column("(extract(epoch FROM now()) * 1000)::bigint"),
}
ADD = Prepared(
    {kind: _insert_once(kind, status).returning(status.c.workflow_uuid) for kind, status in _STATUS.items()},
    _WRITTEN,
)
ADD_INPUT = Prepared({kind: _insert_once(kind, rows) for kind, rows in _INPUT.items()}, ("workflow_uuid", "inputs"))


# Said literally, and word for word as DBOS's partial indexes have it: SQLite takes the index for nothing less.
_IS_BEGUN: ColumnElement[bool] = literal_column("status = 'PENDING'")
_IS_IN_FLIGHT: ColumnElement[bool] = literal_column("status IN ('ENQUEUED', 'PENDING')")


def _waits(kind: str) -> list[ColumnElement[bool]]:
    """True for the pieces that wait in the wanted queue."""
    status = _STATUS[kind]
    conditions = [
        status.c.queue_name == bindparam("wanted_queue"),
        status.c.status == WorkStatus.ENQUEUED.value,
        status.c.application_version == APPLICATION_VERSION,
        status.c.application_name == APPLICATION,
    ]
    # On PostgreSQL, whose planner would count it twice, DBOS leaves it out too.
    return [*conditions, _IS_IN_FLIGHT] if kind == "sqlite" else conditions


def _take(kind: str) -> Executable:
    status, given = _STATUS[kind], _INPUT[kind]
    oldest = (
        select(status.c.workflow_uuid)
        .where(*_waits(kind))
        .order_by(status.c.priority, status.c.created_at)
        .limit(bindparam("wanted_count", type_=Integer))
        .with_for_update(skip_locked=True)
    )
    # Named in full: for SQLite SQLAlchemy leaves the table's name out of RETURNING, and the condition compared a column
    # with itself.
    taken_id: ColumnElement[str] = literal_column(f"{status.fullname}.workflow_uuid")
    inputs = select(given.c.inputs).where(given.c.workflow_uuid == taken_id).scalar_subquery()
    return (
        update(status)
        # A common table expression: PostgreSQL might run a subquery again for every row, and take more than was asked.
        .where(status.c.workflow_uuid.in_(select(oldest.cte("oldest").c.workflow_uuid)))
        .values(
            status=WorkStatus.PENDING.value,
            executor_id=bindparam("executor_id"),
            owner_xid=bindparam("owner_xid"),
            recovery_attempts=status.c.recovery_attempts + 1,
            started_at_epoch_ms=_NOW_MS[kind],
            updated_at=_NOW_MS[kind],
        )
        .returning(status.c.workflow_uuid, status.c.name, inputs)
    )


BEGUN = Prepared(
    {
        kind: select(status.c.workflow_uuid, status.c.executor_id, status.c.recovery_attempts).where(_IS_BEGUN)
        for kind, status in _STATUS.items()
    }
)
#: One row for a queue in which something waits.
WAITING = Prepared(
    {kind: select(status.c.queue_name).where(*_waits(kind)).limit(1) for kind, status in _STATUS.items()}
)
PUT_BACK = Prepared(
    {
        kind: update(status)
        .where(
            status.c.workflow_uuid == bindparam("piece_id"),
            status.c.status == WorkStatus.PENDING.value,
            status.c.executor_id == bindparam("executor"),
            status.c.recovery_attempts == bindparam("attempt"),
        )
        .values(
            status=WorkStatus.ENQUEUED.value,
            owner_xid=None,
            started_at_epoch_ms=None,
            updated_at=_NOW_MS[kind],
        )
        for kind, status in _STATUS.items()
    }
)
FINISHED = Prepared(
    {
        kind: select(status.c.workflow_uuid)
        .where(status.c.completed_at < bindparam("before_ms", type_=BigInteger))
        .order_by(status.c.completed_at)
        .limit(bindparam("count", type_=Integer))
        for kind, status in _STATUS.items()
    }
)
TAKE = Prepared({kind: _take(kind) for kind in KINDS})
END = Prepared(
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
