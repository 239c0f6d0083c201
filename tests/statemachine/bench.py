"""What is under way at the gateway, and what there is to do next."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from gateway.tools.base import Outcome
from gateway.usecases.claims import ClaimedCall
from gateway.usecases.turns import Claim
from tests.rows import Key, Piece, Rows
from tests.statemachine.reference.call import Call, Ruling
from tests.statemachine.reference.job import Job
from tests.statemachine.reference.tool import Tool
from tests.statemachine.world import Process, World, define, reference_tools


@dataclass(eq=False)
class AtWork:
    """A worker between its claim and the end of its work; ``executor`` is what its process was called then."""

    process: Process
    executor: str
    piece: Piece | None


@dataclass(eq=False)
class AtModel(AtWork):
    """The model was asked and has not answered yet."""

    job: Job
    claim: Claim


@dataclass(eq=False)
class AtTool(AtWork):
    call: Call
    claimed: ClaimedCall
    start_by_s: float | None  #: by the test's clock
    outcome: Outcome | None = None  #: the tool was called


class Bench:
    """A gateway that starts empty, and what is known of what was done at it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.jobs: list[Job] = []
        self.tools: dict[str, Tool] = reference_tools()
        for name, tool in self.tools.items():
            define(world.tools[name], tool)
        self.at_model: list[AtModel] = []
        self.at_tool: list[AtTool] = []
        self.pieces: dict[str, Piece] = {}  #: not done yet, in the order in which they were queued
        self.seen_pieces: set[str] = set()
        self.holders: dict[str, str] = {}  #: who took a piece and has not ended with it: nobody else is brought it
        self.given: list[tuple[Call, Ruling]] = []  #: rulings that counted
        self.runs: Counter[tuple[str, int]] = Counter()
        world.reset()

    # What there is to do

    @property
    def now(self) -> datetime:
        return self.world.database.moment

    def calls(self) -> list[Call]:
        return [call for job in self.jobs for call in job.calls]

    def pending(self) -> list[Call]:
        return [call for call in self.calls() if call.status == "pending"]

    def held(self) -> list[Call]:
        return [call for call in self.calls() if call.is_held(self.now)]

    def in_doubt(self) -> list[Call]:
        return [call for call in self.calls() if call.execution == "unknown"]

    def at_work(self) -> list[AtWork]:
        return [*self.at_model, *self.at_tool]

    def models_due(self) -> list[Piece]:
        due: set[Key] = {("advance_job", job.id) for job in self.jobs if job.is_model_due()}
        return self.brought(due)

    def calls_due(self) -> list[Piece]:
        """Calls that a worker would start if it took them now, and what dead workers have left behind."""
        due: set[Key] = {
            ("run_call", call.id, str(call.attempt))
            for call in self.calls()
            if (call.is_to_run() and not call.is_held(self.now)) or call.execution == "started"
        }
        return self.brought(due)

    def brought(self, keys: set[Key]) -> list[Piece]:
        """Pieces of these kinds that a queue would bring now: not those of a worker that still counts as alive."""
        return [
            piece
            for piece in self.pieces.values()
            if piece.key in keys and not self.world.shows_life(self.holders.get(piece.id))
        ]

    # What is known

    def job_of(self, id: str) -> Job:
        return next(job for job in self.jobs if job.id == id)

    def call_of(self, id: str) -> Call:
        return next(call for call in self.calls() if call.id == id)

    def free(self, who: int, row_id: str) -> Process | None:
        """A process that is not at this row already: a worker takes no row twice at a time."""
        busy = {(one.executor, one.job.id) for one in self.at_model}
        busy |= {(one.executor, one.call.id) for one in self.at_tool}
        order = self.world.processes[who:] + self.world.processes[:who]
        return next((process for process in order if (process.executor, row_id) not in busy), None)

    def take_in(self, rows: Rows) -> None:
        """Approvals that are new have their ids, and queued work that is new is known."""
        for job in self.jobs:
            for one, row in zip(job.turn, rows.approvals_of(job.id, job.rounds), strict=False):
                assert row["position"] == one.position
                one.id = row["id"]
        new = [piece for piece in rows.pieces if piece.id not in self.seen_pieces]
        # Ids are random: an order that is the same in every run of the same example.
        order = [*(job.id for job in self.jobs), *(call.id for call in self.calls())]
        for piece in sorted(new, key=lambda piece: (order.index(piece.arguments[0]), piece.arguments[1:])):
            self.pieces[piece.id] = piece
            self.seen_pieces.add(piece.id)

    def done(self, piece: Piece | None) -> None:
        """The queue will not bring this piece again."""
        if piece is not None:
            self.pieces.pop(piece.id, None)
