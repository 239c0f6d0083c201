"""Work that a queue has lost is queued again, whatever its job waits for meanwhile."""

from gateway.usecases import recovery
from tests.clock import SteppedDatabase
from tests.factories import ask, call, decide, load_job, make_gateway, make_person
from tests.fakes import RecordingTool
from tests.rows import Piece, read_rows, reading

QUIET_FOR_S = 60.0


def pieces(database: SteppedDatabase) -> set[Piece]:
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
