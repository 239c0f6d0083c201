"""Whatever becomes of the calls of one turn, each has one result, in the order asked, and Mistral takes them back."""

import itertools
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.demo.validation import Check, request_checker
from gateway.domain.approval import Approve, Reject
from gateway.domain.execution import Resolution
from gateway.domain.permission import PersonActor
from gateway.domain.turn import ModelRequest
from gateway.store.tables import Approval
from gateway.tools.base import CallContext, Ran
from gateway.usecases import approvals, resolutions, turns
from gateway.usecases.gateway import Gateway
from tests import databases
from tests.clock import SteppedDatabase
from tests.factories import (
    answer,
    ask,
    call,
    decide,
    load_job,
    make_gateway,
    make_person,
    run,
    tool_results,
    transcript,
)
from tests.fakes import RecordingTool

KINDS = ("approve", "edit", "reject", "expire", "crash")
MIXES = [mix for size in (1, 2, 3, 4) for mix in itertools.product(KINDS, repeat=size)]
#: Every mix of one or two calls, and one in ten of the others.
SOME_MIXES = [mix for at, mix in enumerate(MIXES) if len(mix) < 3 or at % 10 == 0]

RUN_TIME_S = 61.0  # longer than ``brief`` may wait for a decision, and than a dead worker counts as alive


class Crash(BaseException):
    """The process is gone, inside the tool."""


@dataclass
class Desk:
    """A gateway with a reviewer. ``brief`` is what expires, ``send`` everything else."""

    database: SteppedDatabase
    gateway: Gateway = field(init=False)
    person: PersonActor = field(init=False)
    check: Check = field(default_factory=request_checker)
    crashing: set[str] = field(default_factory=set)  #: approvals whose next call kills the process
    called: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        brief = RecordingTool("brief", expires_after_s=60.0)
        self.gateway = make_gateway(self.database, RecordingTool(outcome=self.send), brief)
        self.person = make_person(self.gateway)

    def send(self, context: CallContext) -> Ran:
        self.called.append(context.approval_id)
        if context.approval_id in self.crashing:
            self.crashing.discard(context.approval_id)
            raise Crash
        return Ran(f"sent {context.arguments_json}")

    def restart(self) -> None:
        self.gateway.engine.executor_id = uuid.uuid4().hex

    def accepts(self, request: ModelRequest) -> bool:
        """True unless Mistral would refuse the request. Raises: Refusal."""
        self.check({"model": request.model, "messages": request.messages, "tools": request.tools}, False)
        return True


@pytest.fixture(scope="module")
def sqlite_desk(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    url = databases.copy_sqlite(sqlite_template, tmp_path_factory.mktemp("mixes") / "countersign.db")
    database = SteppedDatabase(url)
    yield Desk(database)
    database.dispose()


@pytest.fixture
def postgres_desk(postgres_url: str) -> Iterator[Desk]:
    database = SteppedDatabase(postgres_url)
    yield Desk(database)
    database.dispose()


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_each_call_of_a_turn_has_one_result_on_sqlite(sqlite_desk: Desk, size: int, first: str) -> None:
    mixes = [mix for mix in MIXES if len(mix) == size and mix[0] == first]
    assert len(mixes) == len(KINDS) ** (size - 1)
    for mix in mixes:
        check_mix(sqlite_desk, mix)


def test_each_call_of_a_turn_has_one_result_on_postgresql(postgres_desk: Desk) -> None:
    assert len(SOME_MIXES) >= 100
    for mix in SOME_MIXES:
        check_mix(postgres_desk, mix)


def check_mix(desk: Desk, mix: Sequence[str]) -> None:
    chance = random.Random(" ".join(mix))
    asked = [call("brief" if kind == "expire" else "send", f'{{"n": {at}}}') for at, kind in enumerate(mix)]
    rows = ask(desk.gateway, *asked)
    job_id = rows[0].job_id or ""

    # In any order, the decisions before what follows from them.
    expected: dict[int, str] = {}
    for at in chance.sample(range(len(mix)), len(mix)):
        expected[at] = begin(desk, rows[at], mix[at], at)
    desk.database.pass_time(RUN_TIME_S)
    approvals.expire_due(desk.gateway)
    for at in chance.sample(range(len(mix)), len(mix)):
        if mix[at] == "crash":
            expected[at] = settle(desk, rows[at], chance.choice(list(Resolution)), at)

    assert tool_results(desk.gateway, job_id) == [expected[at] for at in range(len(mix))], mix
    _, assistant, *results = transcript(desk.gateway, job_id)
    assert [one["id"] for one in assistant["tool_calls"]] == [one["id"] for one in asked]
    assert [one["tool_call_id"] for one in results] == [one["id"] for one in asked]
    claim = turns.claim_turn(desk.gateway, job_id)
    assert claim is not None, mix
    assert claim.round == 2
    assert desk.accepts(claim.request)
    turns.record_answer(desk.gateway, claim, answer(text="Done."))
    assert load_job(desk.gateway, job_id).status == "succeeded"


def begin(desk: Desk, row: Approval, kind: str, at: int) -> str:
    """This becomes of the call; what the model must be told in the end."""
    match kind:
        case "approve":
            decide(desk.gateway, desk.person, row)
            run(desk.gateway, row)
            return f'sent {{"n": {at}}}'
        case "edit":
            edited = f'{{"n": {at}.50}}'
            decide(desk.gateway, desk.person, row, Approve(edited))
            run(desk.gateway, row)
            return f"A reviewer changed the arguments; the call ran with: {edited}\nsent {edited}"
        case "reject":
            note = "not today" if at % 2 else None
            decide(desk.gateway, desk.person, row, Reject(), note=note)
            return f"Action rejected: {note or 'blocked by reviewer'}"
        case "expire":
            return "Action expired: no decision was made in time. It was not executed."
        case _:
            decide(desk.gateway, desk.person, row)
            desk.crashing.add(row.id)
            with suppress(Crash):
                run(desk.gateway, row)
            assert desk.called[-1] == row.id
            desk.restart()
            return ""


def settle(desk: Desk, row: Approval, resolution: Resolution, at: int) -> str:
    """The next process finds the call that broke off, and a person settles it; what the model must be told."""
    calls = len(desk.called)
    run(desk.gateway, row)
    assert len(desk.called) == calls, "a call that may have happened is not repeated unasked"
    note = "looked it up"
    match resolution:
        case Resolution.RAN:
            result = json.dumps({"receipt": at}) if at % 2 else None
            resolutions.resolve(desk.gateway, desk.person, row.id, resolution, result=result, note=note)
            return result or "The call ran, but its result was not recorded."
        case Resolution.DID_NOT_RUN:
            resolutions.resolve(desk.gateway, desk.person, row.id, resolution, note=note)
            return f"Error: the call did not run. {note}"
        case Resolution.RUN_AGAIN:
            resolutions.resolve(desk.gateway, desk.person, row.id, resolution, note=note)
            run(desk.gateway, row)
            assert desk.called[calls:] == [row.id]
            return f'sent {{"n": {at}}}'
