"""The test build: the ordinary ``countersign`` command line with the numbered points in it.

``python -m tests.crash.process serve …`` takes the place of ``countersign serve …``. The points are put around
functions of the gateway from outside; nothing of this is in the product. A function that is not there any more ends
the process at once, and a point that nothing passes fails ``test_points``.
"""

import functools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from gateway.cli import main as run_command_line
from gateway.runner import housekeeping
from gateway.store.session import Database
from gateway.store.signals import Signals
from tests.crash import guards, points
from tests.crash.points import Moment, Step
from tests.crash.replacing import Function, replace
from tests.crash.switch import VARIABLE, Switch

LOOK_FOR_ORDERS_EVERY_S = 0.2

#: The use cases: one transaction each, whose commit has points of its own.
USE_CASES = {
    Step.SUBMIT: "gateway.usecases.jobs.submit_many",
    Step.CLAIM_TURN: "gateway.usecases.turns.claim_turn",
    Step.RECORD_ANSWER: "gateway.usecases.turns.record_answer",
    Step.RECORD_TROUBLE: "gateway.usecases.turns.record_trouble",
    Step.DECIDE: "gateway.usecases.approvals.decide",
    Step.CLAIM_CALL: "gateway.usecases.claims.claim_call",
    Step.RECORD_OUTCOME: "gateway.usecases.outcomes.record_outcome",
    Step.UNDO: "gateway.usecases.approvals.undo",
    Step.EXPIRE: "gateway.usecases.approvals.expire_due",
    Step.RESOLVE: "gateway.usecases.resolutions.resolve",
    Step.CANCEL: "gateway.usecases.jobs.cancel",
    Step.REQUEUE: "gateway.usecases.recovery.requeue_quiet",
    Step.RECOVER: "gateway.engine.recovery.Recovery._put_back",
}
#: A part of a transaction, which counts as this step if the part has a result.
PARTS = {
    Step.TAKE: "gateway.engine.queue_rows.take",
}
OTHER_STEPS = {
    Step.ADVANCE_JOB: "gateway.runner.worker.Worker.advance_job",
    Step.ASK_MODEL: "gateway.runner.model.MistralModel.complete",
    Step.RUN_CALL: "gateway.runner.worker.Worker.run_call",
    Step.RUN_TOOL: "gateway.runner.worker.Worker._run",
    Step.ENQUEUE_ADVANCE: "gateway.engine.engine.Engine.enqueue_advance",
    Step.ENQUEUE_RUN: "gateway.engine.engine.Engine.enqueue_run",
}
#: What begins when the world outside has done its part of a step.
INSIDE = {
    Step.ASK_MODEL: "gateway.runner.model.read_answer",
    Step.RUN_TOOL: "gateway.tools.http.outcome_of",
}

_use_case: ContextVar[Step | None] = ContextVar("use_case", default=None)


def main() -> None:
    """The command of ``sys.argv`` is run with the switch that the environment names."""
    put_points()
    guards.take_away()
    run_command_line()


@functools.cache
def put_points() -> None:
    """The points are in place, in this process and in those that are forked from it."""
    _reconcile_when_ordered()
    for step, place in (USE_CASES | OTHER_STEPS).items():
        replace(place, functools.partial(_around, step))
    for step, place in INSIDE.items():
        replace(place, functools.partial(_at_the_beginning_of, step))
    for step, place in PARTS.items():
        replace(place, functools.partial(_as_a_part_of, step))
    _watch_commits()


@functools.cache
def _switch() -> Switch:
    return Switch(Path(os.environ[VARIABLE]))


def _pass_by(moment: Moment, step: Step | None) -> None:
    point = points.find(moment, step) if step is not None else None
    if point is not None:
        _switch().pass_by(point.number)


def _reconcile_when_ordered() -> None:
    """The reconciler comes at once, and to everything, while an order names a point of it; else at its own pace."""
    points_of_it = {point.number for point in points.POINTS if point.step is Step.REQUEUE}
    every_s, housekeeping.RECONCILE_EVERY_S = housekeeping.RECONCILE_EVERY_S, LOOK_FOR_ORDERS_EVERY_S

    def when_ordered(original: Function) -> Function:
        came_at_s: float | None = None

        def requeue_quiet(gateway: Any, quiet_for_s: float) -> Any:
            nonlocal came_at_s
            if _switch().ordered_point() in points_of_it:
                return original(gateway, 0.0)
            came_at_s = came_at_s or time.monotonic()
            if time.monotonic() - came_at_s < every_s:
                return 0
            came_at_s = time.monotonic()
            return original(gateway, quiet_for_s)

        return requeue_quiet

    replace(USE_CASES[Step.REQUEUE], when_ordered)


def _around(step: Step, original: Function) -> Function:
    @functools.wraps(original)
    def passing(*arguments: Any, **named: Any) -> Any:
        _pass_by(Moment.BEFORE, step)
        token = _use_case.set(step) if step in USE_CASES else None
        try:
            result = original(*arguments, **named)
        finally:
            if token is not None:
                _use_case.reset(token)
        _pass_by(Moment.AFTER, step)
        return result

    return passing


def _at_the_beginning_of(step: Step, original: Function) -> Function:
    @functools.wraps(original)
    def passing(*arguments: Any, **named: Any) -> Any:
        _pass_by(Moment.INSIDE, step)
        return original(*arguments, **named)

    return passing


def _as_a_part_of(step: Step, original: Function) -> Function:
    @functools.wraps(original)
    def passing(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        # Till the next time in this thread, which does nothing else.
        _use_case.set(step if result else None)
        return result

    return passing


def _watch_commits() -> None:
    write, publish = Database.write, Signals.publish

    @contextmanager
    def passing_write(self: Database) -> Iterator[Any]:
        with write(self) as session:
            yield session
            _pass_by(Moment.BEFORE_COMMIT, _use_case.get())

    # The first thing that a transaction does once it is committed.
    def passing_publish(self: Signals, *arguments: Any, **named: Any) -> None:
        _pass_by(Moment.AFTER_COMMIT, _use_case.get())
        publish(self, *arguments, **named)

    Database.write = passing_write  # type: ignore[method-assign]
    Signals.publish = passing_publish  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
