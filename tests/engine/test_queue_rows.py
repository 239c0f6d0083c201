"""The rows of queued work that we write ourselves are those that DBOS writes."""

from typing import Any

import pytest
from dbos import EnqueueOptions
from sqlalchemy import text

from gateway.engine import queue_rows, queue_statements
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


def test_taken_rows_equal_those_that_the_library_takes(database: Database) -> None:
    client = make_client(database)
    client.register_queue(TOOL_QUEUE, worker_concurrency=4)
    with database.write() as session:
        for number in (1, 2):
            queue_rows.add(session, piece(number))
    system = client._sys_db
    queue = system.get_queue(TOOL_QUEUE)
    assert queue is not None
    assert system.start_queued_workflows(queue, "me", APPLICATION_VERSION, None, 3, owner_xid="token")[0] == [
        piece(1).id
    ]
    with database.write() as session:
        assert queue_rows.take(session, "me", TOOL_QUEUE, 5) == [piece(2)]
    with database.read() as session:
        theirs, ours = rows_of(session, "workflow_status")
    differing = {*OWN, "owner_xid", "started_at_epoch_ms"}
    assert {k: v for k, v in ours.items() if k not in differing} == {
        k: v for k, v in theirs.items() if k not in differing
    }
    assert ours["owner_xid"] is not None
    assert abs(ours["started_at_epoch_ms"] - theirs["started_at_epoch_ms"]) <= 2000


def test_the_oldest_are_taken_and_no_more_than_wanted(database: Database) -> None:
    with database.write() as session:
        for number in (3, 1, 2, 4):
            queue_rows.add(session, piece(number))
            age(session, piece(number), number)
        queue_rows.add(session, Piece("job:job_1:adv:1", "model", "advance_job", ("job_1",)))
        queue_rows.add(session, piece(5), delay_s=60.0)
    with database.write() as session:
        first = queue_rows.take(session, "me", TOOL_QUEUE, 2)
    with database.write() as session:
        rest = queue_rows.take(session, "another", TOOL_QUEUE, 9)
    assert {each.id for each in first} == {piece(1).id, piece(2).id}
    assert {each.id for each in rest} == {piece(3).id, piece(4).id}


def test_what_another_takes_at_this_moment_is_passed_over(postgres_database: Database) -> None:
    with postgres_database.write() as session:
        for number in (1, 2, 3):
            queue_rows.add(session, piece(number))
    with postgres_database.write() as mine, postgres_database.write() as others:
        taken = queue_rows.take(mine, "me", TOOL_QUEUE, 2) + queue_rows.take(others, "another", TOOL_QUEUE, 2)
    assert sorted(each.id for each in taken) == [piece(number).id for number in (1, 2, 3)]


def test_only_what_is_still_as_it_was_is_put_back(database: Database) -> None:
    with database.write() as session:
        for number in (1, 2, 3):
            queue_rows.add(session, piece(number), executor_id="dead")
    with database.read() as session:
        begun = {each.piece_id: each for each in queue_rows.begun(session)}
    with database.write() as session:
        queue_rows.end(session, "dead", [Ended(piece(1).id)])
        assert not queue_rows.put_back(session, begun[piece(1).id])
        assert queue_rows.put_back(session, begun[piece(2).id])
        queue_rows.take(session, "dead", TOOL_QUEUE, 1)  # begun again: another attempt
        assert not queue_rows.put_back(session, begun[piece(2).id])
    with database.read() as session:
        assert [(each.piece_id, each.attempt) for each in sorted(queue_rows.begun(session), key=str)] == [
            (piece(2).id, 2),
            (piece(3).id, 1),
        ]


@pytest.mark.parametrize("statement", ["TAKE", "WAITING", "BEGUN", "PUT_BACK", "FINISHED", "END"])
def test_no_statement_walks_through_all_that_ever_was_queued(sqlite_database: Database, statement: str) -> None:
    with sqlite_database.read() as session:
        sql = getattr(queue_statements, statement)._compiled_for(session).sql
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")).all()
    assert not [row for row in plan if "SCAN workflow_status" in row[-1] and "USING" not in row[-1]]
    assert any("workflow_status USING" in row[-1] for row in plan)


def age(session: Session, one: Piece, second: int) -> None:
    schema = "" if session.dialect.name == "sqlite" else "dbos."
    session.connection().execute(
        text(f"UPDATE {schema}workflow_status SET created_at = :at WHERE workflow_uuid = :id"),  # noqa: S608
        {"at": second * 1000, "id": one.id},
    )
