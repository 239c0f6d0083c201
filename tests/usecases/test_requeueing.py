"""Work that a queue has lost is queued again, whatever its job waits for meanwhile."""

from sqlalchemy import Update
from sqlmodel import update

from gateway.store import executors
from gateway.store.session import Database
from gateway.store.tables import Execution, Turn
from gateway.usecases import claims, recovery, turns
from gateway.usecases.gateway import Gateway
from tests.clock import SteppedDatabase
from tests.factories import ask, call, decide, load_job, make_gateway, make_person, submit
from tests.fakes import RecordingTool
from tests.rows import Piece, read_rows, reading

QUIET_FOR_S = 60.0


def pieces(database: Database) -> set[Piece]:
    with reading(database) as rows:
        return set(read_rows(rows).pieces)


def test_lost_call_that_was_held_is_queued_again(stepped_database: SteppedDatabase) -> None:
    """Nobody is awaited any more when the hold is over, but the job says so only once somebody has taken the call."""
    gateway = make_gateway(stepped_database, RecordingTool(), undo_hold_s=5.0)
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval, channel="page")
    assert load_job(gateway, approval.job_id or "").status == "waiting"
    lost = pieces(stepped_database)

    stepped_database.pass_time(2 * QUIET_FOR_S)
    recovery.requeue_quiet(gateway, QUIET_FOR_S)

    assert [piece.key for piece in pieces(stepped_database) - lost] == [("run_call", approval.id, "1")]


def test_lost_call_does_not_wait_for_the_decision_about_its_sibling(stepped_database: SteppedDatabase) -> None:
    gateway = make_gateway(stepped_database, RecordingTool())
    approved, _pending = ask(gateway, call("send"), call("send"))
    decide(gateway, make_person(gateway), approved)
    lost = pieces(stepped_database)

    stepped_database.pass_time(2 * QUIET_FOR_S)
    recovery.requeue_quiet(gateway, QUIET_FOR_S)

    assert [piece.key for piece in pieces(stepped_database) - lost] == [("run_call", approved.id, "1")]


def test_turn_that_a_live_worker_holds_is_looked_at_again(postgres_database: Database) -> None:
    """What comes here may be the only piece for it: taken over from a worker that was silent, and has shown life."""
    gateway = make_gateway(postgres_database, RecordingTool())
    job = submit(gateway).job
    assert turns.claim_turn(gateway, job.id) is not None
    _now_belongs_to_a_live_worker(gateway, update(Turn).values(claimed_by="other"))
    known = pieces(postgres_database)

    assert turns.claim_turn(gateway, job.id) is None

    [again] = pieces(postgres_database) - known
    assert again.key == ("advance_job", job.id)


def test_call_that_a_live_worker_runs_is_looked_at_again(postgres_database: Database) -> None:
    gateway = make_gateway(postgres_database, RecordingTool())
    [approval] = ask(gateway, call("send"))
    decide(gateway, make_person(gateway), approval)
    assert claims.claim_call(gateway, approval.id, 1) is not None
    _now_belongs_to_a_live_worker(gateway, update(Execution).values(executor_id="other"))
    known = pieces(postgres_database)

    assert claims.claim_call(gateway, approval.id, 1) is None

    [again] = pieces(postgres_database) - known
    assert again.key == ("run_call", approval.id, "1")


def _now_belongs_to_a_live_worker(gateway: Gateway, change: Update) -> None:
    with gateway.database.write() as session:
        executors.beat(session, "other", gateway.database.now(session))
        session.exec(change)
