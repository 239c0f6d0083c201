"""One job: its turns, their calls, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.statemachine import told
from tests.statemachine.reference.call import Call, sha256
from tests.statemachine.reference.tool import ModelCall, Tool

LEASE_S = 15.0
MODEL_TIMEOUT_S = 120.0
#: So long after a turn's first claim no further attempt follows. No sum of the times that pass comes near it.
MODEL_GIVE_UP_S = 7200.0
#: Longer than the model's time-out and whatever storing its answer may take: then a claim has lapsed for certain.
TURN_LAPSED_S = MODEL_TIMEOUT_S + 60.0

UNFIT = {"invalid_json", "too_large", "unknown_tool"}


@dataclass(eq=False)
class TurnClaim:
    executor: str
    at: datetime


@dataclass(eq=False)
class Job:
    """What it was submitted with, and what has become of it."""

    id: str
    permission: str
    max_rounds: int
    on_behalf_of: str | None  #: the person who may not decide its calls
    key: str | None = None
    end: str | None = None
    error: str | None = None
    is_begun: bool = False
    rounds: int = 0
    turn: list[Call] = field(default_factory=list)  #: the calls of the newest turn
    past: list[Call] = field(default_factory=list)
    claim: TurnClaim | None = None
    asked_at: datetime | None = None  #: the newest turn's first claim, while it has no answer
    unopened: int = 0  #: calls of the last allowed answer

    @property
    def calls(self) -> list[Call]:
        return [*self.past, *self.turn]

    def is_model_due(self) -> bool:
        return self.end is None and all(call.result is not None for call in self.turn)

    def statuses(self, now: datetime) -> set[str]:
        """What the job may say of itself: ``waiting`` only while people are awaited."""
        if self.end:
            return {self.end}
        if not self.is_begun:
            return {"queued"}
        if any(call.awaits_people(now) for call in self.turn):
            return {"waiting"}
        # A hold ends by the clock alone; the row follows with the next thing that happens.
        was_held = any(call.is_to_run() and call.release_at != call.decided_at for call in self.turn)
        return {"running", "waiting"} if was_held else {"running"}

    def claims_turn(self, is_dead: bool, now: datetime) -> set[str]:
        """Whether the next model call may (``claimed``) and must belong to a worker that asks for it."""
        if not self.is_model_due():
            return {"nothing"}
        if self.claim is None or is_dead:
            return {"claimed"}
        age_s = (now - self.claim.at).total_seconds()
        if age_s < MODEL_TIMEOUT_S:
            return {"nothing"}
        return {"claimed"} if age_s > TURN_LAPSED_S else {"nothing", "claimed"}

    def answer(self, round: int, asked: Sequence[ModelCall], tools: dict[str, Tool], now: datetime) -> None:
        """The answer to this round is taken in, unless it has one or the job has ended."""
        if self.end or round != self.rounds + 1:
            return
        self.rounds, self.claim, self.asked_at = round, None, None
        self.past += self.turn
        self.turn = []
        if not asked:
            self.end = "succeeded"
        elif round >= self.max_rounds:
            self.end, self.error, self.unopened = "failed", "max_rounds", len(asked)
        else:
            self.turn = [self._open(one, at, tools.get(one.tool), now) for at, one in enumerate(asked, start=1)]

    def _open(self, asked: ModelCall, position: int, tool: Tool | None, now: datetime) -> Call:
        shown = asked.details if asked.details is not None else str(asked.sent)
        call = Call(self, position, tool, asked.details, sha256(shown), kept=asked.details)
        if asked.fault in UNFIT or tool is None:
            call.status, call.result = "rejected", told.ERROR
            call.log.append(("reject", "system", None))
        elif not tool.is_gated and self.permission != "ask":
            call.status, call.decided, call.decided_at, call.release_at = "approved", asked.details, now, now
            call.log.append(("approve", "tool_setting", None))
        elif self.permission == "deny":
            call.status, call.result = "rejected", told.REJECTED_UNASKED
            call.log.append(("reject", "system", None))
        if tool is not None:
            call.known_version = tool.version
            if tool.expires_after_s is not None:
                call.expires_at = now + timedelta(seconds=tool.expires_after_s)
        return call

    def cancel(self, kind: str, person: str | None) -> None:
        """The job has ended; what was not claimed will not run."""
        for call in self.turn:
            if call.status == "pending" or call.is_to_run():
                call.cancel(kind, person)
        self.end = "cancelled"

    def ask(self, now: datetime) -> None:
        """The model is asked, perhaps not for the first time in this turn."""
        self.is_begun = True
        self.asked_at = self.asked_at or now

    def fail_turn(self, round: int, code: str, now: datetime, *, is_permanent: bool) -> None:
        """The model gave no answer to this round: the job has failed with this code, or it is asked again."""
        if self.end is None and round == self.rounds + 1:
            self.claim = None
            is_given_up = self.asked_at is not None and (now - self.asked_at).total_seconds() > MODEL_GIVE_UP_S
            if is_permanent or is_given_up:
                self.end, self.error = "failed", code

    def work_due(self) -> set[tuple[str, ...]]:
        """What some worker must hold or some queue must bring, or it would never happen."""
        due: set[tuple[str, ...]] = {("advance_job", self.id)} if self.is_model_due() else set()
        for call in self.calls:
            if call.is_to_run() or call.execution == "started":
                due.add(("run_call", call.id, str(call.attempt)))
        return due
