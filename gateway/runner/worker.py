"""What a worker does when a queue hands it a job or an approved call.

It keeps nothing between steps but what the database could not take yet.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from gateway.domain.turn import ModelAnswer, ModelRequest, ModelTrouble
from gateway.engine.engine import Handlers
from gateway.errors import DatabaseUnavailable
from gateway.tools.base import InDoubt, Outcome
from gateway.usecases import claims, outcomes, turns
from gateway.usecases.gateway import Gateway

Record = Callable[[], None]

_log = logging.getLogger(__name__)


class Model(Protocol):
    """Whoever answers a model call."""

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """The model's answer. Raises: ModelTrouble."""
        ...


class Worker:
    """Carries jobs on in this process, by use cases alone."""

    def __init__(self, gateway: Gateway, model: Model) -> None:
        self._gateway = gateway
        self._model = model
        self._left = threading.Condition()
        self._busy_with: set[str] = set()
        self._unrecorded: dict[str, Record] = {}

    def handlers(self) -> Handlers:
        return Handlers(advance_job=self.advance_job, run_call=self.run_call)

    def advance_job(self, job_id: str) -> None:
        """The job's next model call was made, if one was due and nobody else is at it."""
        with self._alone_with(job_id):
            self._record_what_is_left(job_id)
            claim = turns.claim_turn(self._gateway, job_id)
            if claim is not None:
                self._record(job_id, self._answer_to(claim))

    def run_call(self, approval_id: str, attempt: int) -> None:
        """The approved call was run, if it may and nobody else is at it, and its outcome is recorded."""
        with self._alone_with(approval_id):
            self._record_what_is_left(approval_id)
            call = claims.claim_call(self._gateway, approval_id, attempt)
            if call is not None:
                self._record(approval_id, partial(outcomes.record_outcome, self._gateway, call, self._run(call)))

    def _record(self, row_id: str, record: Record) -> None:
        """It is in the database. While that is away it is kept for the next try: nobody else knows what came back."""
        try:
            record()
        except DatabaseUnavailable:
            self._unrecorded[row_id] = record
            raise

    def _record_what_is_left(self, row_id: str) -> None:
        if (record := self._unrecorded.pop(row_id, None)) is not None:
            self._record(row_id, record)

    def _answer_to(self, claim: turns.Claim) -> Record:
        """What there is to record once the model was asked."""
        try:
            return partial(self._record_answer, claim, self._model.complete(claim.request))
        except ModelTrouble as trouble:
            _log.warning(
                "model call gave no answer",
                extra={"event": "turn.delayed", "job_id": claim.job_id, "code": trouble.code, "reason": trouble.reason},
            )
            return partial(turns.record_trouble, self._gateway, claim, trouble)
        except Exception:
            return partial(turns.record_trouble, self._gateway, claim, _unusable(claim))

    def _record_answer(self, claim: turns.Claim, answer: ModelAnswer) -> None:
        try:
            turns.record_answer(self._gateway, claim, answer)
        except DatabaseUnavailable:
            raise
        except Exception:
            turns.record_trouble(self._gateway, claim, _unusable(claim))

    def _run(self, call: claims.ClaimedCall) -> Outcome:
        try:
            return call.tool.run(call.context)
        except Exception:
            # A tool says how it ended and does not raise; one that does leaves open what has happened.
            _log.exception("tool broke off", extra={"event": "execution.broke_off", "tool": call.tool.definition.name})
            return InDoubt("The tool broke off with an error of its own.")

    @contextmanager
    def _alone_with(self, row_id: str) -> Iterator[None]:
        """No other thread of this process is at the same row meanwhile: what is claimed then was left over.

        Whoever comes second waits, for the step before may have queued this one in the commit that it is just leaving.
        """
        with self._left:
            self._left.wait_for(lambda: row_id not in self._busy_with)
            self._busy_with.add(row_id)
        try:
            yield
        finally:
            with self._left:
                self._busy_with.discard(row_id)
                self._left.notify_all()


def _unusable(claim: turns.Claim) -> ModelTrouble:
    """Whatever a model may send: the call is counted and given up in the end, never repeated for ever."""
    _log.exception("answer cannot be taken", extra={"event": "turn.broke_off", "job_id": claim.job_id})
    return ModelTrouble("model_bad_answer", "The answer of the model cannot be taken.", is_permanent=False)
