"""The ordinary life of some jobs, with everything that can become of a call, and what must be true at its end."""

from gateway.domain.approval import Approve, Reject, Respond
from gateway.domain.execution import Resolution
from gateway.domain.turn import ModelTrouble
from gateway.store.tables import Approval
from gateway.usecases.deliveries import LEASE_S
from tests.factories import (
    answer,
    call,
    load_approval,
    load_approvals,
    load_deliveries,
    load_job,
    tool_results,
    verdicts,
)
from tests.faults.flow import NARROW, Flow, RoundModel
from tests.row_invariants import ChainWatch, check_events, check_turns
from tests.rows import read_rows

SEEN = '{"n": 1}'
EDITED = '{"n": 2.50}'
MAX_TURNS = 200
ODD = ModelTrouble("model_odd", "Something is wrong.", is_permanent=False)
AWAY = ModelTrouble("model_unavailable", "Mistral answered 503.", is_permanent=False)


def live(flow: Flow) -> None:
    """Some jobs from their submission to their end, with everything that can become of a call; checked."""
    asked = [call(name, SEEN) for name in ("mail", "mail", "pay", "pay", "mail", "brief")]
    first, second = answer(*asked), answer(call("vague", SEEN))
    model = RoundModel([first, second, answer(text="Done.")], troubled={2: ODD, 3: AWAY})
    job_id = flow.submit("one")
    flow.work(model)
    flow.send()
    plain, edited, rejected, answered, taken_back, brief = load_approvals(flow.gateway, job_id)
    flow.decide(plain, Approve())
    flow.decide(edited, Approve(EDITED))
    flow.decide(rejected, Reject())
    flow.decide(rejected, Reject())
    flow.decide(answered, Respond("Ask tomorrow."))
    flow.decide(taken_back, Approve(), on_page=True)
    flow.undo(taken_back)
    flow.decide(taken_back, Approve())
    flow.dying.add(plain.id)
    for seconds in (57.0, 10.0, 60.0):
        flow.database.pass_time(seconds)
        flow.look_after()
    flow.work(model)
    doubtful = load_approvals(flow.gateway, job_id)[-1]
    flow.decide(doubtful, Approve())
    flow.work(model)
    flow.resolve(doubtful, Resolution.RUN_AGAIN)
    flow.work(model)
    flow.resolve(doubtful, Resolution.RAN, "receipt 7")
    flow.work(model)
    # A model that is away is asked when it is somebody's turn to try. Who fails after that waits for the next turn.
    for _ in range(MAX_TURNS):
        if load_job(flow.gateway, job_id).status == "succeeded":
            break
        flow.database.pass_time(11.0)
        flow.look_after()
        flow.work(model)
    _check_first(flow, job_id, [plain, edited, rejected, answered, taken_back, brief, doubtful])
    assert flow.submit("one") == job_id
    _cancel_another(flow)
    _wait_for_a_model(flow)
    _tell_everybody(flow)
    _check_rows(flow)


def _cancel_another(flow: Flow) -> None:
    job_id = flow.submit("two")
    flow.work(RoundModel([answer(call("pay", SEEN), call("pay", SEEN))]))
    held, pending = load_approvals(flow.gateway, job_id)
    flow.decide(held, Approve(), on_page=True)
    flow.cancel(job_id)
    flow.work(RoundModel([]))
    assert load_job(flow.gateway, job_id).status == "cancelled"
    assert tool_results(flow.gateway, job_id) == ["Action cancelled: not executed."] * 2
    assert verdicts(flow.gateway, held.id) == [("approve", "person"), ("cancel", "system")]
    assert verdicts(flow.gateway, pending.id) == [("cancel", "system")]
    assert flow.pay.calls == []


def _wait_for_a_model(flow: Flow) -> None:
    """A job whose model is busy with another one goes on as soon as that is over."""
    model = RoundModel([answer(text="Done.")])
    first, second = flow.submit("three", NARROW), flow.submit("four", NARROW)
    claim = flow.claim_turn(first)
    flow.work(model, only=second)
    assert load_job(flow.gateway, second).status == "queued"
    flow.record_answer(claim, answer(text="Done."))
    flow.work(model)
    assert [load_job(flow.gateway, job_id).status for job_id in (first, second)] == ["succeeded"] * 2


def _tell_everybody(flow: Flow) -> None:
    """Each job's end is told, and each call that waited, or it is dropped: there is one message of each."""
    for _ in range(MAX_TURNS):
        if all(row.status != "pending" for row in load_deliveries(flow.gateway)):
            break
        flow.database.pass_time(LEASE_S + 1)
        flow.send()
    callbacks = [row for row in load_deliveries(flow.gateway) if row.target == "callback"]
    told_of = [row.approval_id for row in load_deliveries(flow.gateway) if row.target == "notify"]
    assert {row.job_id for row in callbacks} == set(read_rows(flow.ask).jobs)
    assert len(callbacks) == 4
    assert {row.status for row in callbacks} == {"delivered"}
    assert {row.id for row in callbacks} == flow.sent
    assert len(told_of) == len(set(told_of)) == len(read_rows(flow.ask).approvals)


def _check_first(flow: Flow, job_id: str, rows: list[Approval]) -> None:
    assert load_job(flow.gateway, job_id).status == "succeeded"
    assert tool_results(flow.gateway, job_id) == [
        f"did {SEEN}",
        f"A reviewer changed the arguments; the call ran with: {EDITED}\ndid {EDITED}",
        "Action rejected: blocked by reviewer",
        "Ask tomorrow.",
        f"did {SEEN}",
        "Action expired: no decision was made in time. It was not executed.",
        "receipt 7",
    ]
    by_person = [[verdict for verdict, _ in verdicts(flow.gateway, row.id)] for row in rows]
    assert by_person == [
        ["approve"], ["approve"], ["reject"], ["respond"], ["approve", "undo", "approve"], ["expire"],
        ["approve", "resolve", "resolve"],
    ]  # fmt: skip
    # What may be repeated is repeated with the same bytes; what may not be is called once per attempt.
    ran = {(context.approval_id, context.arguments_json) for context in flow.mail.calls}
    assert ran == {(rows[0].id, SEEN), (rows[1].id, EDITED), (rows[4].id, SEEN)}
    # A claim whose commit went unheard is in doubt, though nothing was called.
    attempts = [context.attempt for context in flow.vague.calls]
    assert attempts in ([], [1], [2], [1, 2])
    assert load_approval(flow.gateway, rows[6].id).attempt == 2


def _check_rows(flow: Flow) -> None:
    """No job twice, no gap in any feed, a whole chain of decisions."""
    rows = read_rows(flow.ask)
    assert len(rows.jobs) == 4
    check_events(rows)
    check_turns(rows)
    ChainWatch().check(rows)
