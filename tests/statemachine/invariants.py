"""What holds after every step, whatever happened: the rows against the reference, and the rows among themselves."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from gateway.store.events import INBOX_TOPIC, approval_topic, job_topic
from gateway.tools.base import CallContext
from tests.row_invariants import check_turns
from tests.rows import Rows
from tests.statemachine.reference.call import Call, sha256
from tests.statemachine.reference.job import Job

#: From which status a verdict leads where; an extension or a resolution leaves it.
MOVES = {
    "approve": ("pending", "approved"),
    "reject": ("pending", "rejected"),
    "respond": ("pending", "answered"),
    "expire": ("pending", "expired"),
    "cancel": ("pending approved", "cancelled"),
    "undo": ("approved", "pending"),
    "resolve": ("approved", None),
}


def check_statuses(rows: Rows, jobs: Iterable[Job], now: datetime) -> None:
    """Every status is the reference's, and there is no row that the reference does not know."""
    known: dict[str, Call] = {}
    attempts: dict[tuple[str, int], str] = {}
    for job in jobs:
        row = rows.jobs[job.id]
        assert row["status"] in job.statuses(now), (row["status"], job.statuses(now))
        assert (row["rounds"], row["error_code"]) == (job.rounds, job.error)
        for call in job.calls:
            known[call.id] = call
            attempts |= {(call.id, number): attempt.status for number, attempt in call.attempts.items()}
    assert len(rows.jobs) == len(list(jobs))
    assert rows.approvals.keys() == known.keys()
    for id, call in known.items():
        row = rows.approvals[id]
        assert (row["status"], row["attempt"]) == (call.status, call.attempt)
        assert (row["modified_details"], row["details"]) == (call.edit, call.kept)
    assert {key: row["status"] for key, row in rows.executions.items()} == attempts


def check_results(rows: Rows, jobs: Iterable[Job]) -> None:
    """Every call that is settled has one tool message, in its place and with its id; no other call has one."""
    expected: Counter[str] = Counter()
    for job in jobs:
        for call in job.calls:
            approval = rows.approvals[call.id]
            place = (job.id, approval["round"], call.position)
            body = rows.messages.get(place)
            assert (body is not None) == (call.result is not None), (call.status, call.attempts, body)
            if body is None or call.result is None:
                continue
            expected[job.id] += 1
            message = json.loads(body)
            assert message["tool_call_id"] == approval["tool_call_id"]
            assert call.result.fullmatch(message["content"]), (message["content"], call.result.pattern)
        expected[job.id] += job.unopened
        if job.unopened:
            told = [message["content"] for message in rows.results_of(job.id, job.rounds).values()]
            assert told == ["Not executed: round limit."] * job.unopened
    found = Counter(job_id for job_id, round, slot in rows.messages if round > 0 and slot > 0)
    assert found == +expected
    check_turns(rows)


def check_log(rows: Rows, jobs: Iterable[Job]) -> None:
    """Each decision row is one allowed change, and together they lead to the status that the row has."""
    log: dict[str, list[tuple[str, str, str | None]]] = {}
    status: dict[str, str] = {}
    for row in rows.decisions:
        old, verdict = status.get(row["approval_id"], "pending"), row["verdict"]
        allowed, new = MOVES[verdict]
        assert old in allowed.split(), (old, verdict)
        status[row["approval_id"]] = new or old
        assert bool(row["is_final"]) == (verdict not in ("undo", "resolve"))
        person = row["actor_id"] if row["actor_kind"] == "person" else None
        log.setdefault(row["approval_id"], []).append((verdict, row["actor_kind"], person))
    for job in jobs:
        for call in job.calls:
            assert log.pop(call.id, []) == call.log
            assert status.get(call.id, "pending") == rows.approvals[call.id]["status"]
    assert not log


def check_work(rows: Rows, jobs: Iterable[Job], open_keys: set[tuple[str, ...]]) -> None:
    """Whatever must go on without a person is on a queue, or held by a worker whose work others will find."""
    lost = {key for job in jobs for key in job.work_due()} - open_keys
    assert not lost, lost


def check_run(context: CallContext, call: Call, rows: Rows, runs: Counter[tuple[str, int]]) -> None:
    """A tool that has just been called got the decided bytes, under a claim, and not more often than was asked for."""
    [*_, approved] = [row for row in rows.decisions if (row["approval_id"], row["verdict"]) == (call.id, "approve")]
    assert sha256(context.arguments_json) == approved["effective_sha256"]
    assert context.arguments_json == call.decided
    assert rows.executions[call.id, context.attempt]["details_sha256"] == approved["effective_sha256"]
    assert (context.idempotency_key, context.job_id) == (call.id, call.job.id)
    runs[call.id, context.attempt] += 1
    if call.tool is not None and not call.tool.is_idempotent:
        assert runs[call.id, context.attempt] == 1, "one execution per attempt"
        in_all = sum(many for (id, _), many in runs.items() if id == call.id)
        assert in_all <= call.runs_asked_for, "never silently twice"


def check_told(before: Rows, after: Rows, heard: set[str]) -> None:
    """Whoever waits for something that has changed was told so."""
    for id in before.jobs:
        if _shown_of_job(before, id) != _shown_of_job(after, id):
            assert job_topic(id) in heard, (before.jobs[id], after.jobs[id])
    for id in before.approvals:
        if _shown_of_call(before, id) != _shown_of_call(after, id):
            assert {approval_topic(id), INBOX_TOPIC} <= heard, (before.approvals[id], after.approvals[id])
    if after.approvals.keys() - before.approvals.keys():
        assert INBOX_TOPIC in heard


def _shown_of_job(rows: Rows, id: str) -> object:
    row = rows.jobs[id]
    shown = [row[name] for name in row.keys() if name not in ("updated_at", "run_due_at")]  # noqa: SIM118 (not a dict)
    return rows.events[id], shown


def _shown_of_call(rows: Rows, id: str) -> object:
    """The approval with its attempts. Which worker is at one is nobody's concern."""
    attempts = [row for (of_call, _), row in rows.executions.items() if of_call == id]
    return rows.approvals[id], [(row["attempt"], row["status"], row["result"], row["error"]) for row in attempts]
