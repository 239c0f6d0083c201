"""What a worker queues itself it begins itself, at once, and nobody loses or doubles it."""

import threading
from contextlib import suppress

from sqlalchemy import text

from gateway.engine import queue_rows
from gateway.engine.engine import Engine
from gateway.engine.library import ADVANCE, MODEL_QUEUE
from gateway.engine.queue_rows import Piece
from gateway.store.session import Database
from tests.engine.workers import Notebook, Work, wait_until, working


def statuses(database: Database) -> list[str]:
    schema = "" if database.is_sqlite else "dbos."
    with database.read() as session:
        rows = session.connection().execute(text(f"SELECT status FROM {schema}workflow_status ORDER BY 1"))  # noqa: S608
        return list(rows.scalars())


def enqueue(engine: Engine, database: Database, *numbers: int) -> None:
    for number in numbers:
        with database.write() as session:
            engine.enqueue_advance(session, f"job_{number}", 1)


def test_own_work_begins_without_a_poll(database: Database) -> None:
    threads: list[str] = []
    notebook = Notebook(body=lambda _work: threads.append(threading.current_thread().name))
    with working(database, notebook) as engine:
        enqueue(engine, database, 1)
        notebook.wait_for(1)
        assert threads[0].startswith("countersign-work")
        wait_until(lambda: statuses(database) == ["SUCCESS"])


def test_row_of_own_work_says_who_does_it(database: Database) -> None:
    release = threading.Event()

    def body(_work: Work) -> None:
        release.wait(10.0)

    notebook = Notebook(body=body)
    with working(database, notebook) as engine:
        enqueue(engine, database, 1)
        wait_until(lambda: bool(notebook.begun_at_s))
        with database.read() as session:
            schema = "" if database.is_sqlite else "dbos."
            row = session.connection().execute(
                text(f"SELECT status, executor_id, owner_xid = creator_xid FROM {schema}workflow_status")  # noqa: S608
            )
            assert tuple(row.one()) == ("PENDING", engine.executor_id, True)
        release.set()
        notebook.wait_for(1)


def test_half_of_the_places_are_left_to_the_queue(database: Database) -> None:
    """With four places two pieces are begun directly; what follows is queued, and the queue has room for two."""
    release = threading.Event()
    begun: list[Work] = []

    def body(work: Work) -> None:
        begun.append(work)
        release.wait(10.0)

    notebook = Notebook(body=body)
    with working(database, notebook, model_concurrency=4) as engine:
        enqueue(engine, database, 1, 2, 3, 4, 5)
        wait_until(lambda: len(begun) == 4)
        with database.read() as session:
            schema = "" if database.is_sqlite else "dbos."
            # Who queues a piece and begins it marks both with the same token.
            rows = session.connection().execute(
                text(f"SELECT owner_xid = creator_xid FROM {schema}workflow_status WHERE status = 'PENDING'")  # noqa: S608
            )
            assert sorted(map(bool, rows.scalars())) == [False, False, True, True]
        release.set()
        notebook.wait_for(5)


def test_rolled_back_work_gives_its_place_back(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook, model_concurrency=2) as engine:
        for _ in range(3):
            with suppress(RuntimeError), database.write() as session:
                engine.enqueue_advance(session, "job_1", 1)
                raise RuntimeError
        assert engine._worker is not None
        assert engine._worker._find_active() == set()
        enqueue(engine, database, 2)
        assert notebook.wait_for(1) == [("advance", "job_2")]


def test_work_whose_commit_was_not_acknowledged_is_done(database: Database) -> None:
    """The row is ours and nobody does it: that is seen twice, then it is queued again."""
    notebook = Notebook()
    with working(database, notebook, lease_s=0.6) as engine:
        with database.write() as session:
            engine.enqueue_advance(session, "job_1", 1)
            session.after_commit.clear()
            [release] = session.after_rollback
        release()
        assert notebook.wait_for(1) == [("advance", "job_1")]


def test_work_noted_late_is_not_taken_for_abandoned(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook, lease_s=0.15) as engine:
        enqueue(engine, database, 1)
        notebook.wait_for(1)
        wait_until(lambda: statuses(database) == ["SUCCESS"])
    assert notebook.done == [("advance", "job_1")]


def test_stopping_notes_what_has_ended(database: Database) -> None:
    notebook = Notebook()
    with working(database, notebook) as engine:
        enqueue(engine, database, 1)
        notebook.wait_for(1)
    assert statuses(database) == ["SUCCESS"]


def test_own_work_of_a_process_that_died_is_done_by_another(database: Database) -> None:
    dead = Engine(database)
    with database.write() as session:
        # As a process leaves it that dies right after its commit.
        piece = Piece("job:job_1:adv:1", MODEL_QUEUE, ADVANCE, ("job_1",))
        queue_rows.add(session, piece, executor_id=dead.executor_id)
    notebook = Notebook()
    with working(database, notebook, lease_s=0.6):
        assert notebook.wait_for(1) == [("advance", "job_1")]
