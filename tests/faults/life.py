"""The ordinary life of two jobs, with everything that can become of a call, and what must be true at its end."""

from gateway.domain.approval import Approve, Reject, Respond
from gateway.domain.execution import Resolution
from gateway.store.tables import Approval
from tests.factories import answer, call, load_approval, load_approvals, load_job, tool_results, verdicts
from tests.faults.flow import Flow, RoundModel
from tests.row_invariants import ChainWatch, check_events, check_turns
from tests.rows import read_rows

SEEN = '{"n": 1}'
EDITED = '{"n": 2.50}'


def live(flow: Flow) -> None:
    """Two jobs from their submission to their end, with everything that can become of a call; checked."""
    asked = [call(name, SEEN) for name in ("mail", "mail", "pay", "pay", "mail", "brief")]
    first, second = answer(*asked), answer(call("vague", SEEN))
    model = RoundModel([first, second, answer(text="Done.")], troubled=frozenset({3}))
    job_id = flow.submit("one")
    flow.work(model)
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
    _check_first(flow, job_id, [plain, edited, rejected, answered, taken_back, brief, doubtful])
    assert flow.submit("one") == job_id
    _cancel_another(flow)
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
    assert len(rows.jobs) == 2
    check_events(rows)
    check_turns(rows)
    ChainWatch().check(rows)
