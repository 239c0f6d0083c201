"""The rows of queued work that we write ourselves are those that DBOS writes."""

from typing import Any

from dbos import EnqueueOptions
from sqlalchemy import text

from gateway.engine import queue_rows
from gateway.engine.library import APPLICATION_VERSION, RUN, TOOL_QUEUE, make_client
from gateway.engine.queue_rows import Ended, Piece
from gateway.store.session import Database, Session

#: What differs from row to row. DBOS writes the JSON text null where SQLite has no JSON, and reads both alike.
OWN = {"workflow_uuid", "creator_xid", "created_at", "updated_at", "delay_until_epoch_ms", "attributes"}


def piece(number: int) -> Piece:
    return Piece(f"call:apr_1:1:{number}", TOOL_QUEUE, RUN, ("apr_1", 1))


def rows_of(session: Session, table: str) -> list[dict[str, Any]]:
    schema = "" if session.dialect.name == "sqlite" else "dbos."
    rows = session.connection().execute(text(f"SELECT * FROM {schema}{table} ORDER BY workflow_uuid"))  # noqa: S608
    return [dict(row) for row in rows.mappings()]


def test_rows_equal_those_of_the_library(database: Database) -> None:
    client = make_client(database)
    for number, delay_s in ((1, 0.0), (3, 60.0)):
        options = EnqueueOptions(
            queue_name=TOOL_QUEUE, workflow_name=RUN, workflow_id=piece(number).id, app_version=APPLICATION_VERSION
        )
        if delay_s:
            options["delay_seconds"] = delay_s
        with database.write() as session:
            client.enqueue_in_transaction(session, options, "apr_1", 1)
            assert queue_rows.add(session, piece(number + 1), delay_s=delay_s)
    with database.read() as session:
        statuses, inputs = rows_of(session, "workflow_status"), rows_of(session, "workflow_input")
    assert [row["status"] for row in statuses] == ["ENQUEUED", "ENQUEUED", "DELAYED", "DELAYED"]
    for theirs, ours in ((0, 1), (2, 3)):
        assert {k: v for k, v in statuses[ours].items() if k not in OWN} == {
            k: v for k, v in statuses[theirs].items() if k not in OWN
        }
        assert inputs[ours]["inputs"] == inputs[theirs]["inputs"]
        assert abs(statuses[ours]["created_at"] - statuses[theirs]["created_at"]) <= 2000
    assert abs(statuses[3]["delay_until_epoch_ms"] - statuses[2]["delay_until_epoch_ms"]) <= 2000


def test_an_id_is_queued_once(database: Database) -> None:
    with database.write() as session:
        assert queue_rows.add(session, piece(1))
        assert not queue_rows.add(session, piece(1), executor_id="me")
    with database.read() as session:
        [row] = rows_of(session, "workflow_status")
    assert (row["status"], row["executor_id"]) == ("ENQUEUED", None)


def test_only_what_is_still_ours_is_noted_as_ended(database: Database) -> None:
    with database.write() as session:
        for number, executor_id in ((1, "me"), (2, "me"), (3, "another")):
            queue_rows.add(session, piece(number), executor_id=executor_id)
    with database.write() as session:
        queue_rows.end(session, "me", [Ended(piece(1).id), Ended(piece(2).id, "ValueError"), Ended(piece(3).id)])
    with database.read() as session:
        assert [row["status"] for row in rows_of(session, "workflow_status")] == ["SUCCESS", "ERROR", "PENDING"]
    failed = make_client(database, reads_only=True).list_workflows(status="ERROR")[0]
    assert "ValueError" in str(failed.error)
