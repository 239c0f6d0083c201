"""Model calls: claiming one, keeping its answer, and what happens when there is none."""

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.event import EventName
from gateway.domain.job import CallModel, JobStatus
from gateway.domain.turn import ModelAnswer, ModelRequest, ModelTrouble
from gateway.store import events, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Job, Turn
from gateway.usecases import answering, circuits, deadlines, progress
from gateway.usecases.gateway import Gateway

MAX_BAD_ANSWERS = 5
CLAIM_MARGIN_S = 15.0  # beyond the model's time-out: for storing the answer


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one model call, and what to ask."""

    job_id: str
    round: int
    request: ModelRequest


def claim_turn(gateway: Gateway, job_id: str) -> Claim | None:
    """The job's next model call belongs to this worker until its answer is stored or the claim lapses.

    None when no model call is due, a live worker is making it, or the turn must wait for its model.
    """
    with gateway.database.write() as session:
        job, is_any_in_trouble = jobs.lock_for_turn(session, job_id)
        if job is None or JobStatus(job.status).is_final:
            return None
        now = gateway.database.now(session)
        if deadlines.is_overdue(job, now):
            deadlines.end_at_deadline(gateway, session, job, now)
            return None
        step = progress.find_next_step(session, job, now)
        if not isinstance(step, CallModel):
            return None
        turn = turns.hold(session, job_id, step.round) or turns.begin(session, job_id, step.round)
        if turn.answered_at is not None:
            return None
        if _is_anothers(gateway, session, turn, now):
            # Perhaps this was the only piece for it, taken over from a worker that was silent and may yet be dead.
            look_again_s = gateway.policy.lease_s
            gateway.engine.enqueue_advance(session, job_id, progress.piece_of(now), delay_s=look_again_s)
            return None
        if not circuits.admit(gateway, session, job, turn, is_any_in_trouble, now):
            return None
        turn.attempts += 1
        turn.first_claimed_at = turn.first_claimed_at or now
        turn.claimed_by = gateway.engine.executor_id
        turn.claimed_until = now + timedelta(seconds=gateway.policy.model_timeout_s + CLAIM_MARGIN_S)
        if jobs.set_status(job, JobStatus.RUNNING, now):
            events.record(session, job, EventName.JOB_STARTED, now)
        return Claim(job_id, step.round, _request(gateway, session, job, step.round))


def record_answer(gateway: Gateway, claim: Claim, answer: ModelAnswer) -> None:
    """The answer is part of the transcript; its calls are approvals, or the job has ended.

    A second answer to the same turn, or one to a job that has ended, is dropped.
    """
    with gateway.database.write() as session:
        job, is_any_in_trouble = jobs.lock_for_turn(session, claim.job_id)
        turn = turns.hold(session, claim.job_id, claim.round)
        if job is None or turn is None or turn.answered_at:
            return
        now = gateway.database.now(session)
        circuits.leave(gateway, session, turn, now)
        circuits.note_answer(gateway, session, job, is_any_in_trouble, now)
        if JobStatus(job.status).is_final:
            return
        if deadlines.is_overdue(job, now):
            deadlines.end_at_deadline(gateway, session, job, now)
            return
        answering.take_answer(gateway, session, job, turn, answer, now)


def record_trouble(gateway: Gateway, claim: Claim, trouble: ModelTrouble) -> None:
    """The job has failed with the trouble's code, or another attempt follows: later, or once its model is back."""
    with gateway.database.write() as session:
        job = jobs.lock(session, claim.job_id)
        turn = turns.hold(session, claim.job_id, claim.round)
        if job is None or turn is None or turn.answered_at:
            return
        now = gateway.database.now(session)
        circuits.leave(gateway, session, turn, now)
        closed_until = circuits.note_trouble(gateway, session, job, trouble, now)
        if JobStatus(job.status).is_final:
            return
        turn.last_error = trouble.message
        began = turn.first_claimed_at or now
        delay_s = _retry_delay_s(gateway, turn.attempts, trouble)
        gave_up = (now - began).total_seconds() + delay_s > gateway.policy.model_give_up_s
        # An answer that cannot be read was paid for, and the next one will hardly be another.
        gave_up |= trouble.code == "model_bad_answer" and turn.attempts >= MAX_BAD_ANSWERS
        if trouble.is_permanent or gave_up:
            progress.end(session, job, JobStatus.FAILED, now, error_code=trouble.code, error_message=trouble.message)
            return
        turn.retry_at = closed_until or now + timedelta(seconds=delay_s)
        events.record(
            session, job, EventName.TURN_DELAYED, now, round=claim.round, attempt=turn.attempts,
            reason=trouble.message, retry_at=turn.retry_at.isoformat(),
        )  # fmt: skip
        if closed_until is not None:
            circuits.park(gateway, job, turn, now)
        else:
            gateway.engine.enqueue_advance(session, job.id, job.seq, delay_s=delay_s)


def _is_anothers(gateway: Gateway, session: Session, turn: Turn, now: datetime) -> bool:
    """True while another worker, which counts as alive, is making the turn's call."""
    if turn.claimed_by is None or turn.claimed_until is None or turn.claimed_until <= now:
        return False
    # One process makes a turn's call once at a time: a claim of our own is left over from an attempt that broke off.
    if turn.claimed_by == gateway.engine.executor_id:
        return False
    return gateway.engine.is_executor_alive(session, turn.claimed_by, now)


def _request(gateway: Gateway, session: Session, job: Job, round: int) -> ModelRequest:
    asked = json.loads(job.request)
    options: dict[str, Any] = dict(asked["options"])
    if round > 1 and "tool_choice" in options and options["tool_choice"] != "none":
        # A forced tool goes with the first call only, or the model could never give its last words.
        options["tool_choice"] = "auto"
    offered = [tool for name in asked["tools"] if (tool := gateway.tools.get(name)) is not None]
    if not offered:
        options.pop("tool_choice", None)
        options.pop("parallel_tool_calls", None)
    return ModelRequest(
        model=job.model,
        agent_id=job.agent_id,
        messages=[json.loads(message.body) for message in turns.messages(session, job.id)],
        tools=[tool.definition.for_model() for tool in offered],
        options=options,
    )


def _retry_delay_s(gateway: Gateway, attempts: int, trouble: ModelTrouble) -> float:
    policy = gateway.policy
    ceiling = min(policy.retry_max_s, policy.retry_first_s * 2.0 ** min(attempts - 1, 16))
    # Full jitter spreads the jobs that one outage has stopped.
    jittered = ceiling * (0.5 + random.random() / 2)  # noqa: S311 (spreading load, not a secret)
    return max(jittered, min(trouble.retry_after_s or 0.0, policy.retry_max_s))
