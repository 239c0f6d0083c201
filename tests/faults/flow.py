"""Callers that try again as the real ones do.

An app repeats a request with its Idempotency-Key, a reviewer's client repeats a
decision, and looks at the approval when it is told that there is nothing (any
more) to take back or to resolve. Queued work is done by ``engine.work.do``.
"""

import itertools
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from gateway.demo.validation import request_checker
from gateway.domain import delivery
from gateway.domain.approval import Choice
from gateway.domain.arguments import sha256_hex
from gateway.domain.execution import Resolution
from gateway.domain.turn import ModelAnswer, ModelRequest, ModelTrouble
from gateway.engine import work
from gateway.errors import DatabaseUnavailable, GatewayError, NotInDoubt, NotUndoable
from gateway.runner.worker import Worker
from gateway.store.tables import Approval
from gateway.tools.base import CallContext, InDoubt, Outcome, Ran
from gateway.usecases import (
    approvals,
    circuits,
    deadlines,
    deliveries,
    expiring,
    jobs,
    notices,
    recovery,
    resolutions,
    turns,
)
from gateway.usecases.deliveries import Message
from gateway.usecases.notices import Notice
from gateway.usecases.turns import Claim
from tests.clock import SteppedDatabase
from tests.factories import (
    beat,
    load_decisions,
    make_app,
    make_gateway,
    make_person,
    submission,
)
from tests.fakes import RecordingTool
from tests.faults.store import Faults, nothing
from tests.rows import Ask, Piece, read_rows

MAX_TRIES = 1_000
CALLBACK_URL = "https://hooks.example.com/"
NARROW = "narrow"  # a model that answers one call at a time


class Plan(Protocol):
    def begin(self, act: str) -> None: ...

    def __call__(self, name: str, when: str) -> None: ...


class Crash(BaseException):
    """The process dies inside the tool."""


class NoPause(threading.Event):
    """Never set, and never waited for."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


class RoundModel:
    """Answers a round in the same way however often it is asked; with trouble, until that has been recorded."""

    def __init__(self, rounds: Sequence[ModelAnswer], troubled: Mapping[int, ModelTrouble] | None = None) -> None:
        self._rounds = rounds
        self._troubled = dict(troubled or {})
        self._gave_trouble: set[int] = set()
        self._check = request_checker()

    def complete(self, request: ModelRequest) -> ModelAnswer:
        self._check({"model": request.model, "messages": request.messages, "tools": request.tools}, False)
        round: int = sum(message["role"] == "assistant" for message in request.messages) + 1
        if round in self._troubled:
            self._gave_trouble.add(round)
            raise self._troubled[round]
        return self._rounds[round - 1]

    def recover(self) -> None:
        """What it gave trouble with, it answers from now on."""
        for round in self._gave_trouble:
            self._troubled.pop(round, None)


class Flow:
    """One gateway whose store fails by ``plan``; ``threads`` callers do everything at the same time."""

    def __init__(self, database: SteppedDatabase, ask: Ask, faults: Faults, plan: Plan, *, threads: int = 1) -> None:
        self.database, self.ask, self.faults, self.plan, self.threads = database, ask, faults, plan, threads
        self.pay = RecordingTool("pay", outcome=self.called)
        self.mail = RecordingTool("mail", idempotent=True, outcome=self.called)
        self.vague = RecordingTool("vague", outcome=InDoubt("time-out"))
        brief = RecordingTool("brief", expires_after_s=60.0)
        tools = (self.pay, self.mail, self.vague, brief)
        # On SQLite all threads are one process; on PostgreSQL each caller has a process of its own.
        processes = 1 if database.is_sqlite else threads
        policy: dict[str, Any] = {
            "undo_hold_s": 5.0, "circuit_failures": 1, "model_limits": {NARROW: 1}, "tells_reviewers": True,
        }  # fmt: skip
        self.gateways = [make_gateway(database, *tools, **policy) for _ in range(processes)]
        self.gateway = self.gateways[0]
        self.person = make_person(self.gateway)
        self.app = make_app()
        self.model = RoundModel([])
        self.workers: list[Worker] = []
        self.done: set[str] = set()
        self.dying: set[str] = set()  #: approvals whose next call kills the process
        self.sent: set[str] = set()
        self._is_dead = False
        self.tries = Counter[str]()
        for gateway in self.gateways:
            beat(gateway)

    # Acts

    def act(self, name: str, do: Callable[[], object], *, settles: type[GatewayError] | None = None) -> None:
        """It is done, however often that was tried. ``settles``: a refusal that says so, after a try that failed."""

        def try_until_done() -> None:
            for tries in range(MAX_TRIES):
                try:
                    do()
                except DatabaseUnavailable:
                    self.plan.begin(name)
                    self.tries[name] += 1
                    continue
                except GatewayError as refusal:
                    if settles is None or not isinstance(refusal, settles) or (tries == 0 and self.threads == 1):
                        raise
                return
            raise AssertionError(f"{name} was never done")

        self.plan.begin(name)
        self.faults.plan = self.plan
        with self.faults.armed():
            self._at_once([try_until_done] * self.threads)
        self.faults.plan = nothing

    def _at_once(self, callers: Sequence[Callable[[], None]]) -> None:
        if len(callers) == 1:
            callers[0]()
            return
        with ThreadPoolExecutor(len(callers)) as pool:
            for caller in [pool.submit(caller) for caller in callers]:
                caller.result()

    def submit(self, key: str, model: str | None = None) -> str:
        wanted, ids = submission(idempotency_key=key, model=model, callback_url=CALLBACK_URL), set()
        self.act(f"submit {key} {len(self.done)}", lambda: ids.add(jobs.submit(self.gateway, self.app, wanted).job.id))
        [id] = ids
        return id

    def decide(self, approval: Approval, choice: Choice, *, on_page: bool = False) -> None:
        ruling = approvals.Ruling(
            choice=choice, details_sha256=approval.details_sha256, channel="page" if on_page else "api"
        )
        name = f"decide {approval.action} {approval.position}, {len(load_decisions(self.gateway, approval.id))} before"
        self.act(name, lambda: approvals.decide(self.gateway, self.person, approval.id, ruling))

    def undo(self, approval: Approval) -> None:
        self.act("undo", lambda: approvals.undo(self.gateway, self.person, approval.id), settles=NotUndoable)

    def look_after(self) -> None:
        """What a worker does by the clock."""
        for gateway in self.gateways:
            beat(gateway)
        self.act("warn", lambda: expiring.warn_due(self.gateway))
        self.act("expire", lambda: approvals.expire_due(self.gateway))
        self.act("wake", lambda: circuits.wake_waiting(self.gateway))
        self.act("deadlines", lambda: deadlines.end_overdue(self.gateway))
        self.act("requeue", lambda: recovery.requeue_quiet(self.gateway, 60.0))

    def claim_turn(self, job_id: str) -> Claim:
        """Somebody asks the model, and has no answer yet."""
        claims: list[Claim | None] = []
        self.act("claim", lambda: claims.append(turns.claim_turn(self.gateway, job_id)))
        assert claims[-1] is not None
        return claims[-1]

    def record_answer(self, claim: Claim, said: ModelAnswer) -> None:
        self.act("answer", lambda: turns.record_answer(self.gateway, claim, said))

    def cancel(self, job_id: str) -> None:
        self.act("cancel", lambda: jobs.cancel(self.gateway, self.app, job_id))

    def resolve(self, approval: Approval, resolution: Resolution, result: str | None = None) -> None:
        self.act(
            f"resolve {resolution}",
            lambda: resolutions.resolve(self.gateway, self.person, approval.id, resolution, result=result),
            settles=NotInDoubt,
        )

    def send(self) -> None:
        """Whoever sends messages takes what is due. What was claimed and not heard of is due after a while."""
        messages: list[Message] = []
        told: list[Notice] = []
        self.act("claim messages", lambda: messages.extend(deliveries.claim_due(self.gateway, 100)))
        self.act("claim notices", lambda: told.extend(notices.claim_due(self.gateway)))
        taken = delivery.Outcome(is_delivered=True)
        for message in messages:
            self.act("record message", lambda message=message: deliveries.record(self.gateway, message, taken))  # type: ignore[misc]
        for notice in told:
            self.act("record notice", lambda notice=notice: notices.record(self.gateway, notice, taken))  # type: ignore[misc]
        self.sent.update(message.id for message in messages)

    def work(self, model: RoundModel, *, handler: str = "", only: str = "") -> None:
        """Every piece of queued work (for this handler, about this row) is done, and what it has queued in turn."""
        self.model = model
        self.workers = [Worker(gateway, model) for gateway in self.gateways]
        while pieces := self._queued(handler, only):
            for piece in pieces:
                self._do(piece.handler, piece.arguments)
                self.done.add(piece.id)
                model.recover()

    def _queued(self, handler: str, only: str) -> list[Piece]:
        return [
            piece
            for piece in read_rows(self.ask).pieces
            if piece.id not in self.done and handler in ("", piece.handler) and only in ("", piece.arguments[0])
        ]

    def _do(self, handler: str, arguments: tuple[str, ...]) -> None:
        turn = itertools.count()
        # The same in every piece of work that wants the same thing.
        rounds = {id: row["rounds"] for id, row in read_rows(self.ask).jobs.items()}
        name = f"{handler} {arguments} {rounds.get(arguments[0], '')}"

        def try_once(worker: Worker) -> None:
            self.plan.begin(name)
            if handler == "advance_job":
                worker.advance_job(arguments[0])
            else:
                worker.run_call(arguments[0], int(arguments[1]))

        def caller() -> None:
            worker = self.workers[next(turn) % len(self.workers)]
            work.do(lambda: try_once(worker), name, NoPause())

        self.faults.plan = self.plan
        try:
            with self.faults.armed():
                self._at_once([caller] * self.threads)
        except Crash:
            self._restart()
            self._do(handler, arguments)
        self.faults.plan = nothing

    def _restart(self) -> None:
        """Other processes take over, once the lease of the dead one has run out."""
        self.database.pass_time(16.0)
        self._is_dead = False
        for gateway in self.gateways:
            gateway.engine.executor_id = uuid.uuid4().hex
            beat(gateway)
        model = self.model
        self.workers = [Worker(gateway, model) for gateway in self.gateways]

    def called(self, context: CallContext) -> Outcome:
        """A tool's side effect. By then the approval of these bytes must be committed, for everybody to see."""
        rows = read_rows(self.ask)
        row = rows.approvals[context.approval_id]
        [*_, last] = [one for one in rows.decisions if one["approval_id"] == context.approval_id]
        assert (row["status"], last["verdict"], last["effective_sha256"]) == (
            "approved", "approve", sha256_hex(context.arguments_json),
        )  # fmt: skip
        assert rows.executions[context.approval_id, context.attempt]["status"] == "started"
        if context.approval_id in self.dying:
            self.dying.discard(context.approval_id)
            self._is_dead = True
        if self._is_dead:  # with all its threads
            raise Crash
        return Ran(f"did {context.arguments_json}")
