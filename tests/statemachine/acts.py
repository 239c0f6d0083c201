"""What each actor can do, carried out at the gateway and at the reference side by side."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from gateway.domain.execution import Resolution
from gateway.domain.permission import PersonActor
from gateway.domain.turn import ModelAnswer, ModelTrouble
from gateway.errors import GatewayError
from gateway.tools.base import HELD_UP, Failed, InDoubt, Outcome, Ran, clock_s
from gateway.usecases import approvals, claims, jobs, outcomes, recovery, resolutions, turns
from tests.factories import answer, call, change_approval, submission
from tests.rows import Piece
from tests.statemachine import invariants
from tests.statemachine.bench import AtModel, AtTool, Bench
from tests.statemachine.inputs import EVIL, choice_of
from tests.statemachine.reference.call import Call, Ruling
from tests.statemachine.reference.job import TURN_LAPSED_S, Job, TurnClaim
from tests.statemachine.reference.tool import ModelCall
from tests.statemachine.world import Crash, Process, define

#: How a tool's call may end: what the tool gives, and what the reference calls it.
ENDS: dict[str, tuple[Outcome | type[BaseException], str, str]] = {
    "ran": (Ran("done"), "ran", "done"),
    "failed": (Failed("no such account"), "failed", "no such account"),
    "doubt": (InDoubt("time-out"), "doubt", ""),
    "broke off": (RuntimeError, "doubt", ""),
    "crash": (Crash, "", ""),
}


class Acts(Bench):
    """Each method is one thing that happens; it fails where the gateway does not do what it must."""

    # The app

    def submit(
        self,
        *,
        permission: str = "auto",
        max_rounds: int = 10,
        for_whom: PersonActor | None = None,
        with_key: bool = False,
        beside_a_wrong_one: bool = False,
    ) -> Job:
        key = f"key {len(self.jobs)}" if with_key else None
        wanted = submission(
            permission=permission,
            max_rounds=max_rounds,
            on_behalf_of=for_whom.email if for_whom else None,
            idempotency_key=key,
        )
        # One that is refused, in the same transaction, takes nothing along.
        wrong = [submission(tools=("no such tool",))] if beside_a_wrong_one else []
        asked = [(self.world.app, one) for one in [*wrong, wanted]]
        *refused, taken = jobs.submit_many(self.world.gateway, asked)
        assert [getattr(one, "code", None) for one in refused] == ["unknown_tool"] * len(wrong)
        assert isinstance(taken, jobs.Submitted)
        assert not taken.is_replay
        job = Job(taken.job.id, permission, max_rounds, for_whom.id if for_whom else None, key)
        self.jobs.append(job)
        return job

    def submit_again(self, job: Job, *, is_same: bool) -> None:
        """The app has not heard of its first try, or uses the key for something else."""
        wanted = submission(idempotency_key=job.key, **({} if is_same else {"body_sha256": "f" * 64}))
        [taken] = jobs.submit_many(self.world.gateway, [(self.world.app, wanted)])
        if is_same:
            assert isinstance(taken, jobs.Submitted)
            assert (taken.job.id, taken.is_replay) == (job.id, True)
        else:
            assert getattr(taken, "code", None) == "idempotency_key_reused"

    def cancel(self, job: Job, person: PersonActor | None) -> None:
        actor = person or self.world.app
        ended = _answer_to(lambda: jobs.cancel(self.world.gateway, actor, job.id))
        if job.end is None:
            assert ended == "ok"
            job.cancel("person" if person else "system", person.id if person else None)
        else:
            assert ended == ("ok" if job.end == "cancelled" else "job_finished")

    # The model

    def call_model(self, piece: Piece, who: int, said: Sequence[ModelCall] | ModelTrouble, *, twice: bool) -> None:
        """A worker takes this piece of work from its claim to its end; ``twice``: it will be brought once more."""
        job = self.job_of(piece.arguments[0])
        if (process := self.free(who, job.id)) is None:
            return
        expected, now, round = self._expected_claim(job, process), self.now, job.rounds + 1
        process.model.answers = [said if isinstance(said, ModelTrouble) else _answer_with(said)]
        process.model.requests = []
        process.worker.advance_job(job.id)
        assert ("claimed" if process.model.requests else "nothing") in expected
        for request in process.model.requests:
            job.ask(now)
            self.world.check_request(request)
            self._note_said(job, round, said, now)
        if not twice:
            self.done(piece)

    def ask_model(self, piece: Piece, who: int) -> None:
        """A worker claims the call and waits for the answer."""
        job = self.job_of(piece.arguments[0])
        if (process := self.free(who, job.id)) is None:
            return
        expected, now, round = self._expected_claim(job, process), self.now, job.rounds + 1
        claim = turns.claim_turn(process.gateway, job.id)
        assert ("claimed" if claim else "nothing") in expected
        if claim is None:
            self.done(piece)
            return
        assert claim.round == round
        self.world.check_request(claim.request)
        job.ask(now)
        job.claim = TurnClaim(process.executor, now)
        self.holders[piece.id] = process.executor
        self.at_model.append(AtModel(process, process.executor, piece, job, claim))

    def answer_late(self, one: AtModel, said: Sequence[ModelCall] | ModelTrouble) -> None:
        """The answer comes, perhaps after another one, or after the end of the job."""
        self.at_model.remove(one)
        now = self.now
        if isinstance(said, ModelTrouble):
            turns.record_trouble(one.process.gateway, one.claim, said)
        else:
            turns.record_answer(one.process.gateway, one.claim, _answer_with(said))
        self._note_said(one.job, one.claim.round, said, now)
        self.done(one.piece)

    def _expected_claim(self, job: Job, process: Process) -> set[str]:
        self.world.beat(process)
        is_dead = job.claim is not None and self.world.is_dead(job.claim.executor, process)
        return job.claims_turn(is_dead, self.now)

    def _note_said(self, job: Job, round: int, said: Sequence[ModelCall] | ModelTrouble, now: datetime) -> None:
        if isinstance(said, ModelTrouble):
            job.fail_turn(round, said.code, now, is_permanent=said.is_permanent)
        else:
            job.answer(round, said, self.tools, now)

    # The reviewers

    def decide(self, chosen: Call, ruling: Ruling) -> None:
        person = next(one for one in self.world.people if one.id == ruling.person)
        allowed, now = chosen.answers(ruling, self.now), self.now
        said = approvals.Ruling(
            choice=choice_of(ruling),
            details_sha256=ruling.seen,
            note=ruling.note,
            channel="page" if ruling.on_page else "api",
        )
        ended = _answer_to(lambda: approvals.decide(self.world.gateway, person, chosen.id, said))
        assert ended in allowed, (ended, allowed)
        if chosen.status == "pending" and ended == "ok":
            self.given.append((chosen, ruling))
        chosen.decide(ruling, ended, now)

    def take_back(self, chosen: Call, person: PersonActor) -> None:
        is_held = chosen.is_held(self.now)
        ended = _answer_to(lambda: approvals.undo(self.world.gateway, person, chosen.id))
        assert ended == ("ok" if is_held else "not_undoable")
        if is_held:
            chosen.reopen("person", person.id)

    def resolve(
        self, chosen: Call, person: PersonActor, resolution: str, result: str | None = None, note: str | None = None
    ) -> None:
        allowed, word = chosen.answers_to_resolution(resolution), Resolution(resolution)
        ended = _answer_to(
            lambda: resolutions.resolve(self.world.gateway, person, chosen.id, word, result=result, note=note)
        )
        assert ended in allowed, (ended, allowed)
        if ended == "ok":
            chosen.resolve(resolution, person.id, result, note)

    # The workers

    def run_call(self, piece: Piece, who: int, how: str, *, twice: bool) -> None:
        """From the claim to the outcome without a break; with ``crash`` the process dies inside the tool."""
        chosen, attempt = self.call_of(piece.arguments[0]), int(piece.arguments[1])
        if (process := self.free(who, chosen.id)) is None:
            return
        expected, now, before = self._expected_run(chosen, attempt, process), self.now, len(self.world.calls)
        self.world.outcome, kind, text = ENDS[how]
        with suppress(Crash):
            process.worker.run_call(chosen.id, attempt)
        has_run = len(self.world.calls) > before
        found = self._note_claim(chosen, process, expected, has_run, now)
        if has_run:
            self._note_run()
            if how == "crash":
                self.holders[piece.id] = process.executor
                self.crash(process)
                return
            chosen.finish(attempt, kind, text, is_repeat=found == "repeated")
        if not twice:
            self.done(piece)

    def claim_call(self, chosen: Call, attempt: int, who: int, piece: Piece | None) -> None:
        if (process := self.free(who, chosen.id)) is None:
            return
        expected, now = self._expected_run(chosen, attempt, process), self.now
        claimed = claims.claim_call(process.gateway, chosen.id, attempt)
        found = self._note_claim(chosen, process, expected, claimed is not None, now)
        if claimed is None:
            self.done(piece)
            return
        assert claimed.is_repeat == (found == "repeated")
        assert (claimed.context.attempt, claimed.context.arguments_json) == (attempt, chosen.decided)
        left_s = None if claimed.context.start_by_s is None else claimed.context.start_by_s - clock_s()
        assert (left_s is None) == (chosen.tool is not None and chosen.tool.is_idempotent)
        start_by_s = None if left_s is None else self.world.now + left_s
        if piece is not None:
            self.holders[piece.id] = process.executor
        self.at_tool.append(AtTool(process, process.executor, piece, chosen, claimed, start_by_s))

    def call_tool(self, one: AtTool, how: str) -> None:
        """Perhaps late: then a tool that must not be called twice is not called at all."""
        if one.start_by_s is not None and self.world.now > one.start_by_s:
            one.outcome = HELD_UP
            return
        self.world.outcome, _, _ = ENDS[how]
        one.outcome = one.claimed.tool.run(one.claimed.context)
        self._note_run()

    def record_outcome(self, one: AtTool) -> None:
        """Perhaps late: then others may have settled it."""
        assert one.outcome is not None
        self.at_tool.remove(one)
        outcomes.record_outcome(one.process.gateway, one.claimed, one.outcome)
        kind, text = _kind_and_text(one.outcome)
        one.call.finish(one.claimed.context.attempt, kind, text, is_repeat=one.claimed.is_repeat)
        self.done(one.piece)

    def crash(self, process: Process) -> None:
        """What the process held is lost with it; its pieces of work stay, for whoever recovers them."""
        self.at_model = [one for one in self.at_model if one.executor != process.executor]
        self.at_tool = [one for one in self.at_tool if one.executor != process.executor]
        self.world.crash(process)

    def _expected_run(self, chosen: Call, attempt: int, process: Process) -> set[str]:
        # A process that claims shows life all the time; one that is frozen is late with what it does afterwards.
        self.world.beat(process)
        before = chosen.attempts.get(attempt)
        is_dead = before is not None and self.world.is_dead(before.executor, process)
        return chosen.claim(attempt, is_dead, self.now)

    def _note_claim(self, chosen: Call, process: Process, expected: set[str], has_claimed: bool, now: datetime) -> str:
        """What the worker found, by what it did and by the rows, is what it had to find."""
        found = expected & {"started", "repeated"} if has_claimed else expected - {"started", "repeated"}
        if len(found) > 1:
            # Two reasons not to run it: the contract does not say which comes first.
            found = {"reopened"} if self.world.rows().approvals[chosen.id]["status"] == "pending" else {"refused"}
        assert len(found) == 1, (has_claimed, expected)
        [one] = found
        chosen.take(one, process.executor, now)
        return one

    def _note_run(self) -> None:
        context = self.world.calls[-1]
        invariants.check_run(context, self.call_of(context.approval_id), self.world.rows(), self.runs)

    # The clock, the queue, the operator, somebody with the database's password

    def pass_time(self, seconds: float, frozen: int = 0) -> None:
        """``frozen`` has a bit for each process that shows no life in this time."""
        self.world.database.pass_time(seconds)
        for bit, process in enumerate(self.world.processes):
            if not frozen & 1 << bit:
                self.world.beat(process)

    def expire_due(self) -> None:
        now = self.now
        approvals.expire_due(self.world.gateway)
        for one in self.pending():
            if one.expires_at is not None and one.expires_at <= now:
                one.expire()

    def lose_queue(self, who: int) -> None:
        """What nobody is at is gone from the queues, and is looked for."""
        at_work = {one.piece.id for one in self.at_work() if one.piece}
        self.pieces = {id: piece for id, piece in self.pieces.items() if id in at_work}
        self.world.database.pass_time(TURN_LAPSED_S)
        recovery.requeue_quiet(self.world.processes[who].gateway, 60.0)

    def change_tool(self, name: str) -> None:
        self.tools[name].version = 3 - self.tools[name].version
        define(self.world.tools[name], self.tools[name])

    def tamper(self, chosen: Call) -> None:
        change_approval(self.world.gateway, chosen.id, details=EVIL)
        chosen.kept = EVIL


def by_another(ruling: Ruling, person: PersonActor) -> Ruling:
    return replace(ruling, person=person.id)


def _answer_with(asked: Sequence[ModelCall]) -> ModelAnswer:
    return answer(*(call(one.tool, one.sent, id=one.id or None) for one in asked), text="" if asked else "Done.")


def _answer_to(act: Callable[[], object]) -> str:
    """``ok``, or the code of the refusal."""
    try:
        act()
    except GatewayError as error:
        return error.code
    return "ok"


def _kind_and_text(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Ran(result):
            return "ran", result
        case Failed(error):
            return "failed", error
        case InDoubt(reason):
            return "doubt", reason
