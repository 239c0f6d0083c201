"""What a worker does when a queue hands it a job or an approved call. It keeps nothing between steps."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway.domain.turn import ModelAnswer, ModelRequest, ModelTrouble
from gateway.engine.engine import Handlers
from gateway.errors import DatabaseUnavailable
from gateway.tools.base import InDoubt, Outcome
from gateway.usecases import claims, outcomes, turns
from gateway.usecases.gateway import Gateway

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
        self._lock = threading.Lock()
        self._busy_with: set[str] = set()

    def handlers(self) -> Handlers:
        return Handlers(advance_job=self.advance_job, run_call=self.run_call)

    def advance_job(self, job_id: str) -> None:
        """The job's next model call was made, if one was due and nobody else is at it."""
        with self._alone_with(job_id) as is_alone:
            if not is_alone:
                return
            claim = turns.claim_turn(self._gateway, job_id)
            if claim is None:
                return
            try:
                turns.record_answer(self._gateway, claim, self._model.complete(claim.request))
            except ModelTrouble as trouble:
                _log.warning(
                    "model call gave no answer",
                    extra={"event": "turn.delayed", "job_id": job_id, "code": trouble.code, "reason": trouble.reason},
                )
                turns.record_trouble(self._gateway, claim, trouble)
            except DatabaseUnavailable:
                raise
            except Exception:
                # Whatever a model may send: the call is counted and given up in the end, never repeated for ever.
                _log.exception("answer cannot be taken", extra={"event": "turn.broke_off", "job_id": job_id})
                reason = "The answer of the model cannot be taken."
                unusable = ModelTrouble("model_bad_answer", reason, is_permanent=False)
                turns.record_trouble(self._gateway, claim, unusable)

    def run_call(self, approval_id: str, attempt: int) -> None:
        """The approved call was run, if it may and nobody else is at it, and its outcome is recorded."""
        with self._alone_with(approval_id) as is_alone:
            if not is_alone:
                return
            call = claims.claim_call(self._gateway, approval_id, attempt)
            if call is None:
                return
            outcomes.record_outcome(self._gateway, call, self._run(call))

    def _run(self, call: claims.ClaimedCall) -> Outcome:
        try:
            return call.tool.run(call.context)
        except Exception:
            # A tool says how it ended and does not raise; one that does leaves open what has happened.
            _log.exception("tool broke off", extra={"event": "execution.broke_off", "tool": call.tool.definition.name})
            return InDoubt("The tool broke off with an error of its own.")

    @contextmanager
    def _alone_with(self, row_id: str) -> Iterator[bool]:
        """False while another thread of this process is at the same row: its claim is alive, not left over."""
        with self._lock:
            is_alone = row_id not in self._busy_with
            self._busy_with.add(row_id)
        try:
            yield is_alone
        finally:
            if is_alone:
                with self._lock:
                    self._busy_with.discard(row_id)
