"""All actors at one gateway, in any order, against the reference."""

from collections import Counter
from typing import TypeVar

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.domain.turn import ModelTrouble
from gateway.store.events import INBOX_TOPIC, approval_topic, job_topic
from gateway.usecases import audit
from tests.row_invariants import ChainWatch, check_events
from tests.rows import Piece
from tests.statemachine import invariants
from tests.statemachine.acts import ENDS, Acts, by_another
from tests.statemachine.inputs import CALLS, EDITS, EVIL, edit_of, model_calls
from tests.statemachine.reference.call import UNDO_HOLD_S, Call, Ruling, sha256
from tests.statemachine.reference.tool import ModelCall
from tests.statemachine.world import World

Thing = TypeVar("Thing")

WHICH = st.integers(0, 15)
WHO = st.integers(0, 1)
NOTES = st.sampled_from(["because", None])

#: How often in one run: these are always possible, and would crowd out the rest.
AT_MOST = {
    "cancel": 2,
    "change_tool": 2,
    "claim_whatever": 4,
    "decide_twice": 4,
    "decide_unseen": 2,
    "lose_queue": 2,
    "resolve_whatever": 2,
    "submit_again": 2,
    "take_back_whatever": 2,
    "tamper": 1,
    "trouble": 3,
}


class GatewayMachine(RuleBasedStateMachine):
    """No rule has a precondition: where what it needs is missing, a step that leads there is done instead.

    Hypothesis leaves out some of the rules in each run; with preconditions most of those runs would end early.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.acts = Acts(world)
        self.world = world
        self.times: Counter[str] = Counter()
        self.chain = ChainWatch()
        self.rows = world.rows()
        world.listen(INBOX_TOPIC)

    def may(self, name: str) -> bool:
        self.times[name] += 1
        return self.times[name] <= AT_MOST[name]

    # Steps that lead somewhere

    def model_due(self, which: int) -> Piece | None:
        """A model call to make; None if something else had to be done first."""
        if due := self.acts.models_due():
            return pick(which, due)
        if which % 2:
            self.acts.submit()
        else:
            self.some_call_ends(which)
        return None

    def pending(self, which: int) -> Call | None:
        if pending := self.acts.pending():
            return pick(which, pending)
        self.somebody_asks_for_tools(which, [CALLS[(which + at) % len(CALLS)] for at in (0, 3, 5)])
        return None

    def call_due(self, which: int) -> Piece | None:
        if due := self.acts.calls_due():
            return pick(which, due)
        if self.acts.held():
            self.acts.pass_time(UNDO_HOLD_S + 1)
        elif chosen := self.pending(which):
            self.acts.decide(chosen, self.ruling(which % 2, chosen, "approve", note="fine"))
        return None

    def some_call_ends(self, which: int) -> None:
        if piece := self.call_due(which):
            self.acts.run_call(piece, which % 2, "ran", twice=False)

    def somebody_asks_for_tools(self, which: int, asked: list[ModelCall]) -> None:
        if due := self.acts.models_due():
            self.acts.call_model(pick(which, due), which % 2, asked, twice=False)
        else:
            self.acts.submit()

    def ruling(self, who: int, chosen: Call, verdict: str, *, note: str | None, **given: str | bool | None) -> Ruling:
        note = note or ("needed" if chosen.tool and chosen.tool.needs_note and who else None)
        return Ruling(self.world.people[who].id, verdict, chosen.seen_sha, note=note, **given)  # type: ignore[arg-type]

    # The app

    @initialize(asked=model_calls(at_least=1))
    def first_job_asks_for_tools(self, asked: list[ModelCall]) -> None:
        self.acts.submit()
        self.acts.take_in(self.world.rows())
        self.somebody_asks_for_tools(0, asked)

    @rule(
        permission=st.sampled_from(["auto", "ask", "deny"]),
        max_rounds=st.sampled_from([10, 2, 1]),
        for_whom=st.sampled_from([None, 0, 1]),
        with_key=st.booleans(),
        beside=st.booleans(),
    )
    def app_submits(self, permission: str, max_rounds: int, for_whom: int | None, with_key: bool, beside: bool) -> None:
        if len(self.acts.models_due()) > 1:
            self.somebody_asks_for_tools(0, [CALLS[0]])
            return
        self.acts.submit(
            permission=permission,
            max_rounds=max_rounds,
            for_whom=None if for_whom is None else self.world.people[for_whom],
            with_key=with_key,
            beside_a_wrong_one=beside,
        )

    @rule(which=WHICH, is_same=st.booleans())
    def app_submits_again(self, which: int, is_same: bool) -> None:
        if not (keyed := [job for job in self.acts.jobs if job.key]):
            self.acts.submit(with_key=True)
        elif self.may("submit_again"):
            self.acts.submit_again(pick(which, keyed), is_same=is_same)
        else:
            self.some_call_ends(which)

    @rule(which=WHICH, by_person=st.booleans())
    def job_is_cancelled(self, which: int, by_person: bool) -> None:
        if self.may("cancel"):
            self.acts.cancel(pick(which, self.acts.jobs), self.world.people[0] if by_person else None)
        else:
            self.some_call_ends(which)

    # The model

    @rule(which=WHICH, who=WHO, asked=model_calls(), twice=st.booleans())
    def model_answers(self, which: int, who: int, asked: list[ModelCall], twice: bool) -> None:
        if piece := self.model_due(which):
            self.acts.call_model(piece, who, asked, twice=twice)

    @rule(which=WHICH, asked=model_calls(at_least=1))
    def model_asks_for_tools(self, which: int, asked: list[ModelCall]) -> None:
        self.somebody_asks_for_tools(which, asked)

    @rule(which=WHICH, who=WHO, is_permanent=st.booleans())
    def model_is_in_trouble(self, which: int, who: int, is_permanent: bool) -> None:
        if (piece := self.model_due(which)) and self.may("trouble"):
            self.acts.call_model(piece, who, _trouble(is_permanent), twice=False)

    @rule(which=WHICH, who=WHO)
    def worker_asks_the_model(self, which: int, who: int) -> None:
        if piece := self.model_due(which):
            self.acts.ask_model(piece, who)

    @rule(which=WHICH, asked=model_calls(), trouble=st.sampled_from([None, None, None, False, True]))
    def model_answers_late(self, which: int, asked: list[ModelCall], trouble: bool | None) -> None:
        if self.acts.at_model:
            said = asked if trouble is None else _trouble(trouble)
            self.acts.answer_late(pick(which, self.acts.at_model), said)
        elif piece := self.model_due(which):
            self.acts.ask_model(piece, which % 2)

    # The reviewers

    @rule(which=WHICH, who=WHO, edit=st.sampled_from(EDITS), on_page=st.booleans(), note=NOTES)
    def reviewer_approves(self, which: int, who: int, edit: str, on_page: bool, note: str | None) -> None:
        if chosen := self.pending(which):
            text = edit_of(chosen, edit)
            self.acts.decide(chosen, self.ruling(who, chosen, "approve", edit=text, on_page=on_page, note=note))

    @rule(which=WHICH, who=WHO, note=NOTES, response=st.sampled_from([None, "Ask tomorrow."]))
    def reviewer_rejects_or_responds(self, which: int, who: int, note: str | None, response: str | None) -> None:
        if chosen := self.pending(which):
            verdict = "reject" if response is None else "respond"
            self.acts.decide(chosen, self.ruling(who, chosen, verdict, response=response, note=note))

    @rule(which=WHICH, who=WHO, verdict=st.sampled_from(["approve", "reject"]))
    def reviewer_decides_what_was_never_shown(self, which: int, who: int, verdict: str) -> None:
        if (chosen := self.pending(which)) and self.may("decide_unseen"):
            self.acts.decide(chosen, Ruling(self.world.people[who].id, verdict, sha256(EVIL), note="seen"))

    @rule(which=WHICH, who=st.sampled_from([None, 0, 1]))
    def reviewer_decides_twice(self, which: int, who: int | None) -> None:
        """The same again, by the same person or by another."""
        if self.acts.given and self.may("decide_twice"):
            chosen, ruling = pick(which, self.acts.given)
            self.acts.decide(chosen, ruling if who is None else by_another(ruling, self.world.people[who]))
        else:
            self.some_call_ends(which)

    @rule(which=WHICH, who=WHO)
    def reviewer_takes_back(self, which: int, who: int) -> None:
        if held := self.acts.held():
            self.acts.take_back(pick(which, held), self.world.people[who])
        elif chosen := self.pending(which):
            self.acts.decide(chosen, self.ruling(who, chosen, "approve", on_page=True, note="at first sight"))

    @rule(which=WHICH, who=WHO)
    def reviewer_takes_back_whatever(self, which: int, who: int) -> None:
        if self.acts.calls() and self.may("take_back_whatever"):
            self.acts.take_back(pick(which, self.acts.calls()), self.world.people[who])
        else:
            self.some_call_ends(which)

    @rule(
        which=WHICH,
        who=WHO,
        resolution=st.sampled_from(["ran", "did_not_run", "run_again"]),
        result=st.sampled_from([None, "receipt 7"]),
        note=NOTES,
    )
    def reviewer_resolves(self, which: int, who: int, resolution: str, result: str | None, note: str | None) -> None:
        if doubts := self.acts.in_doubt():
            self.acts.resolve(pick(which, doubts), self.world.people[who], resolution, result, note)
        elif piece := self.call_due(which):
            self.acts.run_call(piece, who, "doubt", twice=False)

    @rule(which=WHICH, resolution=st.sampled_from(["ran", "run_again"]))
    def reviewer_resolves_whatever(self, which: int, resolution: str) -> None:
        if self.acts.calls() and self.may("resolve_whatever"):
            self.acts.resolve(pick(which, self.acts.calls()), self.world.people[0], resolution, None, "looked")
        else:
            self.some_call_ends(which)

    # The workers

    @rule(which=WHICH, who=WHO, how=st.sampled_from(list(ENDS)), twice=st.booleans())
    def worker_runs_a_call(self, which: int, who: int, how: str, twice: bool) -> None:
        if piece := self.call_due(which):
            self.acts.run_call(piece, who, how, twice=twice)

    @rule(which=WHICH, who=WHO)
    def worker_claims_a_call(self, which: int, who: int) -> None:
        if piece := self.call_due(which):
            self.acts.claim_call(self.acts.call_of(piece.arguments[0]), int(piece.arguments[1]), who, piece)

    @rule(which=WHICH, who=WHO, attempt=st.integers(-1, 1))
    def worker_claims_whatever(self, which: int, who: int, attempt: int) -> None:
        """An old piece of work, one that was queued twice, one that nobody queued."""
        if not self.acts.calls() or not self.may("claim_whatever"):
            self.some_call_ends(which)
            return
        chosen = pick(which, self.acts.calls()[-16:])
        brought = self.acts.brought({("run_call", chosen.id, str(chosen.attempt + attempt))})
        self.acts.claim_call(chosen, chosen.attempt + attempt, who, brought[0] if brought else None)

    @rule(which=WHICH, how=st.sampled_from(["ran", "failed", "doubt"]))
    def tool_is_called(self, which: int, how: str) -> None:
        if waiting := [one for one in self.acts.at_tool if one.outcome is None]:
            self.acts.call_tool(pick(which, waiting), how)
        else:
            self.worker_takes_one(which)

    @rule(which=WHICH)
    def worker_records_an_outcome(self, which: int) -> None:
        if ended := [one for one in self.acts.at_tool if one.outcome is not None]:
            self.acts.record_outcome(pick(which, ended))
        elif self.acts.at_tool:
            self.acts.call_tool(pick(which, self.acts.at_tool), "ran")
        else:
            self.worker_takes_one(which)

    @rule(which=WHICH, who=WHO)
    def worker_crashes(self, which: int, who: int) -> None:
        """Before the tool, after it, or while the model is asked."""
        process = self.world.processes[who]
        if any(one.executor == process.executor for one in self.acts.at_work()):
            self.acts.crash(process)
        else:
            self.worker_takes_one(which)

    def worker_takes_one(self, which: int) -> None:
        if piece := self.call_due(which):
            self.acts.claim_call(self.acts.call_of(piece.arguments[0]), int(piece.arguments[1]), which % 2, piece)

    # The clock, the queue, the operator, somebody with the database's password

    @rule(seconds=st.sampled_from([1, 6, 61, 3700]), frozen=st.integers(0, 3))
    def time_passes(self, seconds: int, frozen: int) -> None:
        self.acts.pass_time(seconds, frozen)

    @rule(which=WHICH)
    def time_for_deciding_runs_out(self, which: int) -> None:
        if any(call.expires_at is not None for call in self.acts.pending()):
            self.acts.pass_time(30)
            self.acts.expire_due()
        else:
            self.somebody_asks_for_tools(which, [call for call in CALLS if call.tool == "wire"])

    @rule(which=WHICH, who=WHO)
    def queue_loses_everything_and_is_filled_again(self, which: int, who: int) -> None:
        """An engine fault is a delay, not a lost job."""
        if self.may("lose_queue"):
            self.acts.lose_queue(who)
        else:
            self.some_call_ends(which)

    @rule(which=WHICH, name=st.sampled_from(["pay", "mail", "wire", "look"]))
    def tool_definition_changes(self, which: int, name: str) -> None:
        if self.may("change_tool"):
            self.acts.change_tool(name)
        else:
            self.some_call_ends(which)

    @rule(which=WHICH)
    def row_is_tampered_with(self, which: int) -> None:
        approved = [call for call in self.acts.calls() if call.is_to_run() and call.edit is None]
        if approved and self.may("tamper"):
            self.acts.tamper(pick(which, approved))
            self.rows = self.world.rows()
        else:
            self.some_call_ends(which)

    # After every step

    @invariant()
    def everything_holds(self) -> None:
        before, rows = self.rows, self.world.rows()
        self.acts.take_in(rows)
        jobs = self.acts.jobs
        invariants.check_statuses(rows, jobs, self.acts.now)
        invariants.check_work(rows, jobs, {piece.key for piece in self.acts.pieces.values()})
        if rows is before:
            # Nothing was written: then the reference must not have moved either, which the statuses say.
            return
        invariants.check_results(rows, jobs)
        invariants.check_log(rows, jobs)
        check_events(rows)
        self.chain.check(rows)
        invariants.check_told(before, rows, self.world.heard())
        for id in rows.jobs.keys() - before.jobs.keys():
            self.world.listen(job_topic(id))
        for id in rows.approvals.keys() - before.approvals.keys():
            self.world.listen(approval_topic(id))
        self.rows = rows

    def teardown(self) -> None:
        assert audit.verify(self.world.gateway).break_ is None


def pick(which: int, things: list[Thing]) -> Thing:
    return things[which % len(things)]


def _trouble(is_permanent: bool) -> ModelTrouble:
    return ModelTrouble("model_odd", "Something is wrong.", is_permanent=is_permanent)
