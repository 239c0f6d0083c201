"""The gateway under test: one database, two worker processes, two reviewers, an app, and tools that note each call."""

import json
import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from gateway.demo.validation import Check, request_checker
from gateway.domain.permission import AppActor, PersonActor
from gateway.domain.turn import ModelRequest
from gateway.runner.worker import Worker
from gateway.tools.base import CallContext, Outcome, Ran
from gateway.usecases.gateway import Gateway
from tests.clock import START, SteppedDatabase
from tests.factories import beat, make_app, make_gateway, make_person
from tests.fakes import RecordingTool, ScriptedModel
from tests.rows import Ask, Rows, read_rows, reading
from tests.statemachine.reference.call import UNDO_HOLD_S
from tests.statemachine.reference.job import LEASE_S
from tests.statemachine.reference.tool import Tool

PROPERTIES = {"n": {"type": "number"}, "to": {"type": "string"}}


class Crash(BaseException):
    """The process is gone: nothing after the tool's side effect happens."""


def reference_tools() -> dict[str, Tool]:
    return {
        tool.name: tool
        for tool in (
            Tool("pay"),
            Tool("mail", is_idempotent=True),
            Tool("wire", needs_note=True, expires_after_s=60.0, run_within_s=3600.0),
            Tool("look", is_gated=False, is_idempotent=True),
            Tool("ping", is_gated=False),
        )
    }


def define(tool: RecordingTool, of: Tool) -> None:
    """The registered tool is what the reference says, in this version of its definition."""
    tool.define(
        name=of.name,
        schema={"type": "object", "properties": PROPERTIES, "$comment": f"version {of.version}"},
        approval="ask" if of.is_gated else "auto",
        idempotent=of.is_idempotent,
        note_required=of.needs_note,
        expires_after_s=of.expires_after_s,
        run_within_s=of.run_within_s,
    )


@dataclass
class Process:
    """One worker process; after a crash it is another one."""

    gateway: Gateway
    model: ScriptedModel
    worker: Worker
    beat_at: float = 0.0  #: seconds of the test's clock

    @property
    def executor(self) -> str:
        return self.gateway.engine.executor_id

    def restart(self) -> None:
        self.gateway.engine.executor_id = uuid.uuid4().hex
        self.worker = Worker(self.gateway, self.model)


@dataclass
class World:
    database: SteppedDatabase
    ask: Ask
    empty: Callable[[], None]
    tools: dict[str, RecordingTool]
    processes: list[Process]
    people: list[PersonActor]
    app: AppActor = field(default_factory=make_app)
    calls: list[CallContext] = field(default_factory=list)  #: every call of every tool, in order
    outcome: Outcome | type[BaseException] = field(default=Ran("done"))  #: of the next call
    _check: Check = field(default_factory=request_checker)
    _checked_tools: set[str] = field(default_factory=set)
    _read: tuple[int, Rows] | None = None  #: a version of the data, and the data
    _listening: ExitStack = field(default_factory=ExitStack)
    _heard: set[str] = field(default_factory=set)
    _last_beats: dict[str, float] = field(default_factory=dict)  #: of processes that are gone

    @property
    def gateway(self) -> Gateway:
        """What the app and the reviewers call."""
        return self.processes[0].gateway

    @property
    def now(self) -> float:
        """Seconds since the test's clock began."""
        return (self.database.moment - START).total_seconds()

    def reset(self) -> None:
        """Nothing has happened yet."""
        self._listening.close()
        self._heard.clear()
        self.calls.clear()
        self.empty()
        self.database.moment = START
        for process in self.processes:
            process.model.answers.clear()
            process.restart()
            self.beat(process)

    def rows(self) -> Rows:
        """What is committed; SQLite says whether that has changed since it was last read."""
        if not self.database.is_sqlite:
            return read_rows(self.ask)
        [version] = next(iter(self.ask("PRAGMA data_version")))
        if self._read is None or self._read[0] != version:
            self._read = version, read_rows(self.ask)
        return self._read[1]

    def beat(self, process: Process) -> None:
        """The process has shown that it lives; on SQLite nobody looks."""
        process.beat_at = self.now
        if not self.database.is_sqlite:
            beat(process.gateway)

    def is_dead(self, executor: str, asker: Process) -> bool:
        """Whether ``asker`` must take this for dead, or for an attempt of its own that broke off."""
        return executor == asker.executor or not self.shows_life(executor)

    def shows_life(self, executor: str | None) -> bool:
        """By its last beat. On SQLite there is one process, and whoever asks is that one."""
        if executor is None or self.database.is_sqlite:
            return False
        beats = self._last_beats | {process.executor: process.beat_at for process in self.processes}
        return self.now - beats[executor] < LEASE_S

    def crash(self, process: Process) -> None:
        """Another process takes its place; the dead one's lease runs on for a while."""
        self._last_beats[process.executor] = process.beat_at
        process.restart()
        self.beat(process)

    def listen(self, topic: str) -> None:
        """Somebody waits for this topic from now on."""
        self._listening.enter_context(self.database.signals.listening([topic], self._heard.add))

    def heard(self) -> set[str]:
        """What the waiters were told since this was last asked."""
        heard, self._heard = self._heard.copy(), self._heard
        self._heard.clear()
        return heard

    def run_tool(self, context: CallContext) -> Outcome:
        self.calls.append(context)
        if isinstance(self.outcome, type):
            raise self.outcome
        return self.outcome

    def check_request(self, request: ModelRequest) -> None:
        """Mistral would take this request. Raises: Refusal."""
        body = {"model": request.model, "messages": request.messages, **request.options}
        # Checking the same schemas again takes longer than everything else.
        if (tools := json.dumps(request.tools)) not in self._checked_tools:
            self._checked_tools.add(tools)
            body["tools"] = request.tools
        self._check(body, False)

    def dispose(self) -> None:
        self._listening.close()


@contextmanager
def world_on(url: str) -> Iterator[World]:
    """A gateway on this migrated database; ``reset`` empties it again."""
    database = SteppedDatabase(url)
    tools = {name: RecordingTool(name) for name in reference_tools()}
    processes = []
    for _ in range(2):
        gateway, model = make_gateway(database, *tools.values(), undo_hold_s=UNDO_HOLD_S), ScriptedModel()
        processes.append(Process(gateway, model, Worker(gateway, model)))
    people = [make_person(processes[0].gateway) for _ in range(2)]
    with reading(database) as ask:
        emptying = _emptying_sqlite(database) if database.is_sqlite else _emptying_postgresql(ask)
        with emptying as empty:
            world = World(database, ask, empty, tools, processes, people)
            for tool in tools.values():
                tool.outcome = world.run_tool
            with _silence():
                try:
                    yield world
                finally:
                    world.dispose()
                    database.dispose()


@contextmanager
def _silence() -> Iterator[None]:
    """What goes wrong here goes wrong on purpose, thousands of times: nobody reads the log of it."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _emptying_sqlite(database: SteppedDatabase) -> Iterator[Callable[[], None]]:
    """The file is written over with what it held at first: the log of decisions lets nothing be deleted."""
    live, first = sqlite3.connect(str(database.url.database)), sqlite3.connect(":memory:")
    try:
        live.backup(first)
        yield lambda: first.backup(live)
    finally:
        live.close()
        first.close()


#: In an order that foreign keys allow. The log of decisions lets nothing be deleted while its triggers are on.
EMPTY_POSTGRESQL = """
    ALTER TABLE decisions DISABLE TRIGGER USER;
    DELETE FROM executions; DELETE FROM messages; DELETE FROM turns; DELETE FROM events; DELETE FROM approvals;
    DELETE FROM jobs; DELETE FROM decisions; DELETE FROM executors;
    DELETE FROM workflow_input; DELETE FROM workflow_status;
    UPDATE decision_head SET seq = 0, hash = repeat('0', 64), at = NULL;
    ALTER TABLE decisions ENABLE TRIGGER USER
"""


@contextmanager
def _emptying_postgresql(ask: Ask) -> Iterator[Callable[[], None]]:
    def empty() -> None:
        ask(EMPTY_POSTGRESQL)

    yield empty
