"""One call of a turn, from intake to its result.

The reference is written from the contract, not from the code: no database, no
queue, no locks. Where the contract leaves the order of two refusals open, all
of them are allowed, and the caller reports which one was given. A method that
changes the state says what is true afterwards.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.statemachine import told
from tests.statemachine.reference.tool import Tool
from tests.statemachine.told import Told

if TYPE_CHECKING:
    from tests.statemachine.reference.job import Job

UNDO_HOLD_S = 5.0


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_same_call(one: str, other: str) -> bool:
    """Equal in structure and literals: ``1.0`` is not ``1.00``."""

    def read(text: str) -> Any:
        return json.loads(text, parse_int=lambda n: ("number", n), parse_float=lambda n: ("number", n))

    return bool(read(one) == read(other))


@dataclass(frozen=True)
class Ruling:
    """What a person decides about a call, and the hash of the arguments that they saw."""

    person: str
    verdict: str
    seen: str
    edit: str | None = None
    response: str | None = None
    note: str | None = None
    on_page: bool = False


@dataclass(eq=False)
class Attempt:
    status: str
    executor: str = ""
    started_at: datetime | None = None


@dataclass(eq=False)
class Call:
    """What is known of it, and what may be done with it."""

    job: "Job"
    position: int
    tool: Tool | None
    details: str | None
    seen_sha: str  #: what a decider must have seen
    id: str = ""  #: of its approval, once the gateway has given one
    status: str = "pending"
    known_version: int = 1  #: the definition of its tool that people know
    kept: str | None = None  #: the arguments that the row holds: not the asked ones if somebody wrote others there
    edit: str | None = None
    decided: str | None = None  #: the bytes that may run
    first: tuple[Any, ...] | None = None  #: the decision that counts, to know it again
    decided_at: datetime | None = None
    release_at: datetime | None = None
    expires_at: datetime | None = None
    attempt: int = 1
    attempts: dict[int, Attempt] = field(default_factory=dict)
    result: Told | None = None
    log: list[tuple[str, str, str | None]] = field(default_factory=list)  #: verdict, kind of actor, person
    runs_asked_for: int = 1  #: how often it may run: once, and once more for each run_again

    def is_held(self, now: datetime) -> bool:
        return self.status == "approved" and self.release_at is not None and self.release_at > now

    @property
    def execution(self) -> str | None:
        wanted = self.attempts.get(self.attempt)
        return wanted.status if wanted else None

    def awaits_people(self, now: datetime) -> bool:
        return self.result is None and (self.status == "pending" or self.is_held(now) or self.execution == "unknown")

    def is_to_run(self) -> bool:
        return self.status == "approved" and self.result is None and self.execution is None

    def is_changed(self) -> bool:
        return self.tool is not None and self.tool.version != self.known_version

    def is_intact(self) -> bool:
        return self.decided is not None and self.decided == (self.kept if self.edit is None else self.edit)

    # Deciding

    def answers(self, ruling: Ruling, now: datetime) -> set[str]:
        """How the gateway may answer this ruling: ``ok``, or codes of refusals."""
        if self.status != "pending":
            return self._answers_when_decided(ruling)
        refusals = set()
        if self.job.on_behalf_of == ruling.person:
            refusals.add("own_request")
        if self.expires_at is not None and self.expires_at <= now:
            refusals.add("expired")
        if ruling.seen != self.seen_sha:
            refusals.add("stale_details")
        if self.tool and self.tool.needs_note and not ruling.note:
            refusals.add("note_required")
        if self._effective_edit(ruling) is not None and self.tool and not self.tool.accepts(ruling.edit or ""):
            refusals.add("invalid_details")
        if self.is_changed():
            # Rejecting is safe whatever the tool has become: the contract asks for no second look.
            return refusals | {"tool_changed"} | (set() if ruling.verdict == "approve" or refusals else {"ok"})
        return refusals or {"ok"}

    def _answers_when_decided(self, ruling: Ruling) -> set[str]:
        if self.status == "expired":
            return {"expired"}
        if self._identity(ruling) == self.first:
            # What was approved and then cancelled with its job is no longer what was decided.
            return {"ok", "already_decided"} if self.status == "cancelled" else {"ok"}
        return {"already_decided"}

    def _identity(self, ruling: Ruling) -> tuple[Any, ...]:
        edit = self._effective_edit(ruling)
        return (ruling.person, ruling.verdict, ruling.seen, edit, ruling.response)

    def _effective_edit(self, ruling: Ruling) -> str | None:
        if ruling.edit is None or (self.kept is not None and is_same_call(ruling.edit, self.kept)):
            return None
        return ruling.edit

    def decide(self, ruling: Ruling, answer: str, now: datetime) -> None:
        """The call is as this answer of the gateway leaves it."""
        match answer:
            case "ok" if self.status == "pending":
                self._rule(ruling, now)
            case "expired" if self.status == "pending":
                self.expire()
            case "tool_changed":
                self.known_version = self.tool.version if self.tool else self.known_version

    def _rule(self, ruling: Ruling, now: datetime) -> None:
        self.first, self.decided_at = self._identity(ruling), now
        self.log.append((ruling.verdict, "person", ruling.person))
        match ruling.verdict:
            case "approve":
                self.status, self.edit = "approved", self._effective_edit(ruling)
                # The hash on the row stands for what was asked, whoever has written other arguments there since.
                self.decided = self.details if self.edit is None else self.edit
                self.release_at = now + timedelta(seconds=UNDO_HOLD_S if ruling.on_page else 0.0)
            case "reject":
                self.status, self.result = "rejected", told.rejected(ruling.note)
            case "respond":
                self.status, self.result = "answered", told.exactly(ruling.response or "")

    def expire(self) -> None:
        """Nobody decided in time."""
        self.status, self.result = "expired", told.EXPIRED
        self.log.append(("expire", "system", None))

    def reopen(self, kind: str, person: str | None) -> None:
        """Pending again: a person took the approval back before its release, or the tool changed before the claim."""
        self.log.append(("undo", kind, person))
        self.status = "pending"
        self.edit = self.decided = self.first = self.decided_at = self.release_at = None

    def cancel(self, kind: str, person: str | None) -> None:
        """It will not run; the log says so."""
        self.status, self.result = "cancelled", told.CANCELLED
        self.log.append(("cancel", kind, person))

    # Running

    def claim(self, attempt: int, is_dead: bool, now: datetime) -> set[str]:
        """What a worker that takes this attempt may find: ``nothing`` to run, a call ``started`` or ``repeated``
        by it, ``doubted``, ``reopened`` or ``refused``. ``is_dead``: whoever started it before shows no life."""
        if attempt != self.attempt:
            return {"nothing"}
        if (before := self.attempts.get(attempt)) is not None:
            if before.status != "started" or not is_dead:
                return {"nothing"}
            is_safe = self.tool is not None and self.tool.is_idempotent and not self.is_changed() and self.is_intact()
            return {"repeated"} if is_safe else {"doubted"}
        if self.status != "approved" or self.is_held(now):
            return {"nothing"}
        ends = {"reopened"} if self.is_changed() else set()
        if self._is_too_late(now) or not self.is_intact():
            ends.add("refused")
        return ends or {"started"}

    def _is_too_late(self, now: datetime) -> bool:
        if self.tool is None or self.tool.run_within_s is None or self.decided_at is None:
            return False
        return now > self.decided_at + timedelta(seconds=self.tool.run_within_s)

    def take(self, found: str, executor: str, now: datetime) -> None:
        """The claim found this."""
        match found:
            case "started":
                self.attempts[self.attempt] = Attempt("started", executor, now)
            case "repeated":
                self.attempts[self.attempt].executor = executor
            case "doubted":
                self.attempts[self.attempt].status = "unknown"
            case "reopened":
                self.reopen("system", None)
                self.known_version = self.tool.version if self.tool else self.known_version
            case "refused":
                self.attempts[self.attempt] = Attempt("failed", executor, now)
                late = told.RUN_TOO_LATE if self._is_too_late(now) else None
                changed = None if self.is_intact() else told.ERROR
                self.result = told.either(late, changed) if late and changed else late or changed

    def finish(self, attempt: int, outcome: str, text: str, *, is_repeat: bool) -> None:
        """The attempt has this outcome (``ran``, ``failed``, ``doubt``), unless it is settled already."""
        this = self.attempts[attempt]
        if this.status not in ("started", "unknown"):
            return
        if outcome == "doubt" or (outcome == "failed" and is_repeat):
            # A repeat that failed does not say what the first try did.
            this.status = "unknown"
        elif outcome == "ran":
            this.status, self.result = "succeeded", self._told_that_it_ran(told.exactly(text))
        else:
            this.status, self.result = "failed", told.exactly(f"Error: {text}")

    def _told_that_it_ran(self, result: Told) -> Told:
        return result if self.edit is None else told.edited(self.edit, result)

    def answers_to_resolution(self, resolution: str) -> set[str]:
        if self.execution != "unknown":
            return {"not_in_doubt"}
        return {"job_finished"} if resolution == "run_again" and self.job.end else {"ok"}

    def resolve(self, resolution: str, person: str, result: str | None, note: str | None) -> None:
        """A person's word settles the doubt, or opens the next attempt."""
        self.log.append(("resolve", "person", person))
        match resolution:
            case "ran":
                self.attempts[self.attempt].status = "succeeded"
                said = told.RESULT_NOT_RECORDED if result is None else told.exactly(result)
                self.result = self._told_that_it_ran(said)
            case "did_not_run":
                self.attempts[self.attempt].status = "failed"
                self.result = told.did_not_run(note)
            case "run_again":
                self.attempts[self.attempt].status = "failed"
                self.attempt += 1
                self.runs_asked_for += 1
