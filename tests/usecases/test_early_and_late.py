"""Decisions before anybody looks for them, after it is too late, and at the moment at which something else happens.

The clock is a test's own: it goes on by a microsecond with each look at it, so
that a race at a deadline is decided by who looks first, in every round anew.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from gateway.domain.approval import Approve, Choice, Reject, Respond
from gateway.domain.execution import Resolution
from gateway.domain.permission import PersonActor
from gateway.errors import AlreadyDecided, Expired
from gateway.runner.worker import Worker
from gateway.store.events import INBOX_TOPIC, approval_topic, job_topic
from gateway.store.tables import Approval
from gateway.tools.base import InDoubt, Ran
from gateway.usecases import approvals, audit, claims, jobs, outcomes, resolutions
from gateway.usecases.gateway import Gateway
from tests.clock import TICK, SteppedDatabase
from tests.factories import (
    answer,
    ask,
    call,
    change_approval,
    decide,
    load_approval,
    load_decisions,
    load_job,
    make_app,
    make_gateway,
    make_person,
    run,
    tool_results,
    verdicts,
)
from tests.fakes import RecordingTool, ScriptedModel
from tests.row_invariants import ChainWatch, check_events
from tests.rows import Ask, read_rows, reading
from tests.usecases.test_races import all_at_once

SWEEPER_RACES = 100
RACES = 20

SEEN = '{"n": 1}'
EDITED = '{"n": 2}'
CHOICES: tuple[Choice, ...] = (Approve(), Approve(EDITED), Reject(), Respond("Ask tomorrow."))
CANCELLED = "Action cancelled: not executed."
EXPIRED = "Action expired: no decision was made in time. It was not executed."


@dataclass
class Waiting:
    """Somebody waits for a call, and reads its status whenever they are woken."""

    ask: Ask
    approval: Approval
    seen: dict[str, list[str]] = field(default_factory=dict)  #: topic -> what was read after each signal
    #: Signals come from the threads that commit, and two readings of one connection would share an old snapshot.
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def wake(self, topic: str) -> None:
        with self._reading:
            rows = list(self.ask("SELECT id, status FROM approvals ORDER BY created_at DESC LIMIT 5"))
            [status] = [row["status"] for row in rows if row["id"] == self.approval.id]
            self.seen.setdefault(topic, []).append(status)

    def saw_the_end(self, status: str) -> bool:
        """Whoever waits for the call, its job or the inbox has read, once woken, how it ended."""
        topics = (approval_topic(self.approval.id), job_topic(self.approval.job_id or ""), INBOX_TOPIC)
        return all(status in self.seen.get(topic, []) for topic in topics)


@contextmanager
def waiting_for(gateway: Gateway, approval: Approval) -> Iterator[Waiting]:
    topics = (approval_topic(approval.id), job_topic(approval.job_id or ""), INBOX_TOPIC)
    with reading(gateway.database) as ask:
        waiting = Waiting(ask, approval)
        with gateway.database.signals.listening(topics, waiting.wake):
            yield waiting


def check_all(gateway: Gateway) -> None:
    with reading(gateway.database) as ask:
        rows = read_rows(ask)
    check_events(rows)
    ChainWatch().check(rows)
    assert audit.verify(gateway).break_ is None


def test_decision_between_two_lives_of_the_gateway_is_carried_out(stepped_database: SteppedDatabase) -> None:
    """Nobody worked when it was made, and the process that took it is gone."""
    before = make_gateway(stepped_database, RecordingTool())
    [approval] = ask(before, call("send", SEEN))
    decide(before, make_person(before), approval, Approve(EDITED))

    url = stepped_database.url.render_as_string(hide_password=False)
    later_database = SteppedDatabase(url)
    later_database.moment = stepped_database.moment
    tool = RecordingTool()
    later = make_gateway(later_database, tool)
    worker = Worker(later, ScriptedModel([answer(text="Done.")]))
    with reading(later_database) as ask_rows:
        done: set[str] = set()
        while pieces := [piece for piece in read_rows(ask_rows).pieces if piece.id not in done]:
            for piece in pieces:
                done.add(piece.id)
                handlers = worker.handlers()
                if piece.handler == "advance_job":
                    handlers.advance_job(piece.arguments[0])
                else:
                    handlers.run_call(piece.arguments[0], int(piece.arguments[1]))
    job = load_job(later, approval.job_id or "")
    later_database.dispose()

    assert tool.received == [EDITED]
    assert job.status == "succeeded"


def test_same_decision_again_gives_the_first_one_whatever_has_happened_since(stepped_database: SteppedDatabase) -> None:
    tool = RecordingTool()
    gateway = make_gateway(stepped_database, tool, undo_hold_s=5.0)
    person = make_person(gateway)
    [approval] = ask(gateway, call("send", SEEN))
    first = decide(gateway, person, approval, channel="page")

    def again(on: Gateway) -> tuple[str | None, object]:
        """Held, released, started anew, run: the answer is what the first one was."""
        given = decide(on, person, approval, channel="page")
        return given.decision_id, given.release_at

    answers = [again(gateway)]
    stepped_database.pass_time(6.0)
    answers.append(again(gateway))
    answers.append(again(make_gateway(stepped_database, tool, undo_hold_s=5.0)))
    run(gateway, approval)
    answers.append(again(gateway))

    assert answers == [(first.decision_id, first.release_at)] * 4
    assert verdicts(gateway, approval.id) == [("approve", "person")]
    assert len(tool.calls) == 1


@pytest.mark.parametrize("choice", CHOICES)
def test_decision_after_the_end_changes_nothing(stepped_database: SteppedDatabase, choice: Choice) -> None:
    tool = RecordingTool()
    gateway, app = make_gateway(stepped_database, tool), make_app()
    first, late = make_person(gateway), make_person(gateway)

    def expire(approval: Approval) -> None:
        change_approval(gateway, approval.id, expires_at=stepped_database.moment)
        approvals.expire_due(gateway)

    ends: dict[str, Callable[[Approval], object]] = {
        "approved": lambda approval: decide(gateway, first, approval, Approve('{"n": 3}')),
        "rejected": lambda approval: decide(gateway, first, approval, Reject()),
        "answered": lambda approval: decide(gateway, first, approval, Respond("No need.")),
        "expired": expire,
        "cancelled": lambda approval: jobs.cancel(gateway, app, approval.job_id or ""),
    }
    for status, end in ends.items():
        [approval] = ask(gateway, call("send", SEEN), actor=app)
        end(approval)
        before = load_approval(gateway, approval.id)

        with pytest.raises(Expired if status == "expired" else AlreadyDecided):
            decide(gateway, late, approval, choice)

        assert load_approval(gateway, approval.id) == before
        assert before.status == status
        assert len(load_decisions(gateway, approval.id)) == 1


def test_decider_and_sweepers_at_the_deadline_have_one_winner(stepped_database: SteppedDatabase) -> None:
    tool = RecordingTool(outcome=lambda context: Ran(f"sent {context.arguments_json}"))
    gateway = make_gateway(stepped_database, tool)
    person = make_person(gateway)
    winners = Counter[str]()
    for race in range(SWEEPER_RACES):
        [approval] = ask(gateway, call("send", SEEN))
        # Seven looks at the clock are to come: from a deadline before the first to one behind the last.
        change_approval(gateway, approval.id, expires_at=stepped_database.moment + TICK * (race % 9))
        with waiting_for(gateway, approval) as waiting:
            ended, *swept = all_at_once(
                [partial(decide, gateway, person, approval), *[partial(approvals.expire_due, gateway)] * 3]
            )
            stepped_database.pass_time(1.0)
            approvals.expire_due(gateway)

        row = load_approval(gateway, approval.id)
        assert swept == ["ok"] * 3
        assert (ended, row.status) in {("ok", "approved"), ("expired", "expired")}
        assert verdicts(gateway, approval.id) == [
            ("approve", "person") if ended == "ok" else ("expire", "system"),
        ]
        run(gateway, approval)
        assert tool_results(gateway, approval.job_id or "") == [f"sent {SEEN}" if ended == "ok" else EXPIRED]
        assert waiting.saw_the_end(row.status)
        winners[ended] += 1
    assert len(tool.calls) == winners["ok"]
    assert min(winners["ok"], winners["expired"]) > 0
    check_all(gateway)


def test_two_tabs_of_one_person_with_and_without_an_edit_run_what_was_first(stepped_database: SteppedDatabase) -> None:
    tool = RecordingTool()
    gateway = make_gateway(stepped_database, tool)
    person = make_person(gateway)
    for race in range(RACES):
        [approval] = ask(gateway, call("send", SEEN))
        tabs = [Approve(), Approve(EDITED)] if race % 2 else [Approve(EDITED), Approve()]
        with waiting_for(gateway, approval) as waiting:
            ends = all_at_once([partial(decide, gateway, person, approval, tab) for tab in tabs])
        run(gateway, approval)

        assert Counter(ends) == {"ok": 1, "already_decided": 1}
        won = tabs[ends.index("ok")]
        assert tool.received[race:] == [won.modified_details or SEEN]
        assert verdicts(gateway, approval.id) == [("approve", "person")]
        assert waiting.saw_the_end("approved")
    check_all(gateway)


@pytest.mark.parametrize("choice", CHOICES)
def test_deciding_and_cancelling_at_once_leaves_one_outcome(stepped_database: SteppedDatabase, choice: Choice) -> None:
    tool = RecordingTool()
    gateway, app = make_gateway(stepped_database, tool), make_app()
    person: PersonActor = make_person(gateway)
    told = {"rejected": "Action rejected: blocked by reviewer", "answered": "Ask tomorrow.", "cancelled": CANCELLED}
    for _ in range(RACES):
        [approval] = ask(gateway, call("send", SEEN), actor=app)
        job_id = approval.job_id or ""
        with waiting_for(gateway, approval) as waiting:
            decided, cancelled = all_at_once(
                [
                    partial(decide, gateway, person, approval, choice),
                    partial(jobs.cancel, gateway, app, job_id),
                ]
            )
        run(gateway, approval)

        assert cancelled == "ok"
        status = load_approval(gateway, approval.id).status
        if decided == "ok" and not isinstance(choice, Approve):
            assert status in {"rejected", "answered"}
        else:
            assert status == "cancelled"
        assert tool.calls == []
        assert tool_results(gateway, job_id) == [told[status]]
        assert load_job(gateway, job_id).status == "cancelled"
        assert waiting.saw_the_end(status)
    check_all(gateway)


def test_running_and_cancelling_at_once_runs_it_once_or_never(stepped_database: SteppedDatabase) -> None:
    tool = RecordingTool()
    gateway, app = make_gateway(stepped_database, tool), make_app()
    person = make_person(gateway)
    for _ in range(RACES):
        tool.calls.clear()
        [approval] = ask(gateway, call("send", SEEN), actor=app)
        job_id = approval.job_id or ""
        decide(gateway, person, approval)
        worker = Worker(gateway, ScriptedModel())
        with waiting_for(gateway, approval) as waiting:
            ends = all_at_once(
                [
                    *[partial(worker.run_call, approval.id, 1)] * 2,
                    partial(jobs.cancel, gateway, app, job_id),
                ]
            )

        assert ends == ["ok"] * 3
        row = load_approval(gateway, approval.id)
        has_run = row.status == "approved"
        assert len(tool.calls) == (1 if has_run else 0)
        assert tool_results(gateway, job_id) == ["sent" if has_run else CANCELLED]
        assert load_job(gateway, job_id).status == "cancelled"
        assert waiting.saw_the_end(row.status)
    check_all(gateway)


def test_undoing_deciding_and_running_at_the_release_leave_one_outcome(stepped_database: SteppedDatabase) -> None:
    """At the end of the hold one person takes back, another rejects, and a worker runs the call."""
    tool = RecordingTool()
    gateway = make_gateway(stepped_database, tool, undo_hold_s=5.0)
    first, second = make_person(gateway), make_person(gateway)
    seen = Counter[str]()
    for race in range(RACES * 2):
        tool.calls.clear()
        [approval] = ask(gateway, call("send", SEEN))
        decide(gateway, first, approval, channel="page")
        change_approval(gateway, approval.id, release_at=stepped_database.moment + TICK * (race % 6))
        worker = Worker(gateway, ScriptedModel())
        with waiting_for(gateway, approval) as waiting:
            undone, rejected, ran = all_at_once(
                [
                    partial(approvals.undo, gateway, first, approval.id),
                    partial(decide, gateway, second, approval, Reject()),
                    partial(worker.run_call, approval.id, 1),
                ]
            )
            stepped_database.pass_time(1.0)
            run(gateway, approval)

        assert ran == "ok"
        row = load_approval(gateway, approval.id)
        outcome = (undone, rejected, row.status, len(tool.calls))
        assert outcome in {
            ("ok", "ok", "rejected", 0),
            ("ok", "already_decided", "pending", 0),
            ("not_undoable", "already_decided", "approved", 1),
        }
        log = {
            "rejected": ["approve", "undo", "reject"], "pending": ["approve", "undo"], "approved": ["approve"],
        }  # fmt: skip
        assert [verdict for verdict, _ in verdicts(gateway, approval.id)] == log[row.status]
        assert waiting.saw_the_end(row.status) or row.status == "pending"
        assert waiting.seen[approval_topic(approval.id)][-1] == row.status
        seen[row.status] += 1
    assert seen["approved"] > 0
    assert seen["rejected"] + seen["pending"] > 0
    check_all(gateway)


def test_resolving_and_finishing_late_at_once_settle_a_doubt_once(stepped_database: SteppedDatabase) -> None:
    gateway = make_gateway(stepped_database, RecordingTool(outcome=InDoubt("time-out")))
    people = [make_person(gateway) for _ in range(2)]
    for _ in range(RACES):
        [approval] = ask(gateway, call("send", SEEN))
        decide(gateway, people[0], approval)
        claimed = claims.claim_call(gateway, approval.id, 1)
        assert claimed is not None
        outcomes.record_outcome(gateway, claimed, InDoubt("time-out"))
        with waiting_for(gateway, approval) as waiting:
            *resolved, finished = all_at_once(
                [
                    partial(resolutions.resolve, gateway, people[0], approval.id, Resolution.RAN, result="receipt"),
                    partial(resolutions.resolve, gateway, people[1], approval.id, Resolution.DID_NOT_RUN, note="no"),
                    partial(outcomes.record_outcome, gateway, claimed, Ran("sent after all")),
                ]
            )

        assert finished == "ok"
        [told] = tool_results(gateway, approval.job_id or "")
        winners = {
            "receipt": ["ok", "not_in_doubt"],
            "Error: the call did not run. no": ["not_in_doubt", "ok"],
            "sent after all": ["not_in_doubt", "not_in_doubt"],
        }
        assert resolved == winners[told]
        by_people = [verdict for verdict, _ in verdicts(gateway, approval.id)].count("resolve")
        assert by_people == resolved.count("ok")
        assert waiting.saw_the_end("approved")
    check_all(gateway)


def test_everybody_who_waits_is_told_of_every_change_after_its_commit(stepped_database: SteppedDatabase) -> None:
    """Whoever is woken reads the change already: a signal before the commit would send them back to wait."""
    tool = RecordingTool(outcome=InDoubt("time-out"))
    gateway, app = make_gateway(stepped_database, tool, undo_hold_s=5.0), make_app()
    person = make_person(gateway)

    def expire(approval: Approval) -> None:
        change_approval(gateway, approval.id, expires_at=stepped_database.moment)
        approvals.expire_due(gateway)

    def reopen(approval: Approval) -> None:
        decide(gateway, person, approval)
        tool.define(name="send", schema={"type": "object", "properties": {"n": {}}})
        run(gateway, approval)
        tool.define(name="send", schema={"type": "object", "properties": {}})

    changes: list[tuple[str, Callable[[Approval], object]]] = [
        ("approved", lambda one: decide(gateway, person, one)),
        ("rejected", lambda one: decide(gateway, person, one, Reject())),
        ("answered", lambda one: decide(gateway, person, one, Respond("x"))),
        ("expired", expire),
        ("cancelled", lambda one: jobs.cancel(gateway, app, one.job_id or "")),
        ("pending", reopen),
        ("approved", lambda one: run(gateway, decide(gateway, person, one))),
    ]
    for status, change in changes:
        [approval] = ask(gateway, call("send", SEEN), actor=app)
        with waiting_for(gateway, approval) as waiting:
            change(approval)
        assert waiting.saw_the_end(status), status
        assert waiting.seen[approval_topic(approval.id)][-1] == status
