"""The numbered places at which a process is killed: around every step that a job and its calls go through.

A step that ends where the next one begins has one number there: a process that dies after the claim of a call
dies before the call.
"""

from dataclasses import dataclass
from enum import StrEnum


class Moment(StrEnum):
    """Where in a step."""

    BEFORE = "before"  #: nothing of it was done
    INSIDE = "inside"  #: the world outside has done its part, and its answer was not read
    BEFORE_COMMIT = "before the commit of"  #: everything is written, nothing is kept
    AFTER_COMMIT = "after the commit of"  #: everything is kept, nobody was told
    AFTER = "after"  #: whoever is in this process knows, nobody else


class Step(StrEnum):
    """What a process does for a job, in the words of the code that does it."""

    SUBMIT = "submit"
    ADVANCE_JOB = "advance_job"  #: the engine hands the job to a worker
    CLAIM_TURN = "claim_turn"
    ASK_MODEL = "ask_model"
    RECORD_ANSWER = "record_answer"
    RECORD_TROUBLE = "record_trouble"
    DECIDE = "decide"
    RUN_CALL = "run_call"  #: the engine hands the call to a worker
    CLAIM_CALL = "claim_call"
    RUN_TOOL = "run_tool"
    RECORD_OUTCOME = "record_outcome"
    ENQUEUE_ADVANCE = "enqueue_advance"
    ENQUEUE_RUN = "enqueue_run"
    UNDO = "undo"
    EXPIRE = "expire"
    RESOLVE = "resolve"
    CANCEL = "cancel"
    REQUEUE = "requeue"  #: the reconciler queues again what has not moved for long
    RECOVER = "recover"  #: the engine queues again what a dead process had taken
    TAKE = "take"  #: the engine takes what waits in a queue


class Talk(StrEnum):
    """A conversation of ``conversations.toml``."""

    BRIEF = "brief"  #: one call, approved
    EDITED = "edited"  #: one call of a tool that may be called again, approved with an edit
    REJECTED = "rejected"
    ANSWERED = "answered"  #: the reviewer responds in the tool's place
    PARALLEL = "parallel"  #: three calls at once, one of them automatic
    TROUBLED = "troubled"  #: the model's API fails once
    UNDONE = "undone"  #: approved on the pages, undone, rejected
    FLEETING = "fleeting"  #: nobody decides in time
    DOUBTFUL = "doubtful"  #: three calls whose outcome only a person can find out
    CANCELLED = "cancelled"  #: the app cancels while a call waits
    LONG = "long"  #: two calls at once that take half a second each
    EVERYDAY = "everyday"  #: five calls at once, approved, edited, automatic, rejected, answered; then one more
    LENGTHY = "lengthy"  #: a call that takes three seconds
    ENDLESS = "endless"  #: a call that takes longer than a process waits when it is told to end

    @classmethod
    def plain(cls) -> "tuple[Talk, ...]":
        """Those that take no time to speak of; together they pass every point."""
        return tuple(talk for talk in cls if talk not in {cls.LENGTHY, cls.ENDLESS})


@dataclass(frozen=True, slots=True)
class Point:
    number: int
    moment: Moment
    step: Step
    talk: Talk = Talk.BRIEF  #: comes by here
    follows: int | None = None  #: the point at which a process must have died first

    def __str__(self) -> str:
        return f"{self.number:02} {self.moment} {self.step}".replace(" ", "-")


POINTS = (
    Point(1, Moment.BEFORE, Step.SUBMIT),
    Point(2, Moment.BEFORE_COMMIT, Step.SUBMIT),
    Point(3, Moment.AFTER_COMMIT, Step.SUBMIT),
    Point(4, Moment.AFTER, Step.SUBMIT),
    Point(5, Moment.BEFORE, Step.ADVANCE_JOB),
    Point(6, Moment.BEFORE_COMMIT, Step.CLAIM_TURN),
    Point(7, Moment.AFTER_COMMIT, Step.CLAIM_TURN),
    Point(8, Moment.BEFORE, Step.ASK_MODEL),
    Point(9, Moment.INSIDE, Step.ASK_MODEL),
    Point(10, Moment.AFTER, Step.ASK_MODEL),
    Point(11, Moment.BEFORE_COMMIT, Step.RECORD_ANSWER, Talk.PARALLEL),
    Point(12, Moment.AFTER_COMMIT, Step.RECORD_ANSWER, Talk.PARALLEL),
    Point(13, Moment.BEFORE_COMMIT, Step.RECORD_TROUBLE, Talk.TROUBLED),
    Point(14, Moment.AFTER_COMMIT, Step.RECORD_TROUBLE, Talk.TROUBLED),
    Point(15, Moment.AFTER, Step.ADVANCE_JOB, Talk.EDITED),
    Point(16, Moment.BEFORE, Step.DECIDE, Talk.ANSWERED),
    Point(17, Moment.BEFORE_COMMIT, Step.DECIDE, Talk.REJECTED),
    Point(18, Moment.AFTER_COMMIT, Step.DECIDE, Talk.EDITED),
    Point(19, Moment.AFTER, Step.DECIDE, Talk.ANSWERED),
    Point(20, Moment.BEFORE, Step.RUN_CALL, Talk.EDITED),
    Point(21, Moment.BEFORE_COMMIT, Step.CLAIM_CALL, Talk.PARALLEL),
    Point(22, Moment.AFTER_COMMIT, Step.CLAIM_CALL, Talk.PARALLEL),
    Point(23, Moment.BEFORE, Step.RUN_TOOL, Talk.EDITED),
    Point(24, Moment.INSIDE, Step.RUN_TOOL),
    Point(25, Moment.AFTER, Step.RUN_TOOL, Talk.EDITED),
    Point(26, Moment.BEFORE_COMMIT, Step.RECORD_OUTCOME),
    Point(27, Moment.AFTER_COMMIT, Step.RECORD_OUTCOME, Talk.PARALLEL),
    Point(28, Moment.AFTER, Step.RUN_CALL),
    Point(29, Moment.AFTER, Step.ENQUEUE_ADVANCE),
    Point(30, Moment.AFTER, Step.ENQUEUE_RUN),
    Point(31, Moment.BEFORE_COMMIT, Step.UNDO, Talk.UNDONE),
    Point(32, Moment.AFTER_COMMIT, Step.UNDO, Talk.UNDONE),
    Point(33, Moment.BEFORE_COMMIT, Step.EXPIRE, Talk.FLEETING),
    Point(34, Moment.AFTER_COMMIT, Step.EXPIRE, Talk.FLEETING),
    Point(35, Moment.BEFORE_COMMIT, Step.RESOLVE, Talk.DOUBTFUL),
    Point(36, Moment.AFTER_COMMIT, Step.RESOLVE, Talk.DOUBTFUL),
    Point(37, Moment.BEFORE_COMMIT, Step.CANCEL, Talk.CANCELLED),
    Point(38, Moment.AFTER_COMMIT, Step.CANCEL, Talk.CANCELLED),
    Point(39, Moment.BEFORE_COMMIT, Step.REQUEUE, Talk.LONG),
    Point(40, Moment.AFTER_COMMIT, Step.REQUEUE, Talk.LONG),
    Point(41, Moment.BEFORE_COMMIT, Step.RECOVER, Talk.PARALLEL, follows=24),
    Point(42, Moment.AFTER_COMMIT, Step.RECOVER, Talk.EDITED, follows=24),
    Point(43, Moment.BEFORE_COMMIT, Step.TAKE, Talk.EDITED, follows=24),
    Point(44, Moment.AFTER_COMMIT, Step.TAKE, Talk.PARALLEL, follows=24),
)

_BY_PLACE = {(point.moment, point.step): point for point in POINTS}


def find(moment: Moment, step: Step) -> Point | None:
    """The point at this place, if it has a number."""
    return _BY_PLACE.get((moment, step))


def get(moment: Moment, step: Step) -> Point:
    return _BY_PLACE[moment, step]
