"""Model calls: claiming one, keeping its answer, and what happens when there is none."""

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.approval import ApprovalStatus
from gateway.domain.event import EventName
from gateway.domain.job import CallModel, JobStatus
from gateway.domain.turn import ModelAnswer, ModelRequest, ModelTrouble, ToolCall, sendable_name
from gateway.store import approvals, decisions, events, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Job, Turn
from gateway.usecases import deadlines, intake, progress
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_tool_call_id

MAX_TOOL_CALL_ID_LENGTH = 200
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

    None when no model call is due, or a live worker is making it.
    """
    with gateway.database.write() as session:
        job = jobs.lock(session, job_id)
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
        if _is_taken(gateway, session, turn, now):
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
        job = jobs.lock(session, claim.job_id)
        turn = turns.hold(session, claim.job_id, claim.round)
        if job is None or turn is None or turn.answered_at or JobStatus(job.status).is_final:
            return
        now = gateway.database.now(session)
        if deadlines.is_overdue(job, now):
            deadlines.end_at_deadline(gateway, session, job, now)
            return
        _keep_turn(job, turn, answer, now)
        ids = _tool_call_ids(session, job, answer.calls)
        body = json.dumps(_message(answer, ids), ensure_ascii=False)
        turns.add_message(session, job_id=job.id, round=claim.round, slot=0, role="assistant", body=body, now=now)
        events.record(session, job, EventName.TURN_ANSWERED, now, round=claim.round, calls=len(answer.calls))
        if not answer.calls:
            progress.end(session, job, JobStatus.SUCCEEDED, now, output=_output(answer))
        elif claim.round >= job.max_rounds:
            _stop_at_round_limit(gateway, session, job, answer, ids, now)
        else:
            _open_calls(gateway, session, job, answer, ids, now)


def record_trouble(gateway: Gateway, claim: Claim, trouble: ModelTrouble) -> None:
    """The job has failed with the trouble's code, or another attempt is queued for later."""
    with gateway.database.write() as session:
        job = jobs.lock(session, claim.job_id)
        turn = turns.hold(session, claim.job_id, claim.round)
        if job is None or turn is None or turn.answered_at or JobStatus(job.status).is_final:
            return
        now = gateway.database.now(session)
        turn.claimed_by = turn.claimed_until = None
        turn.last_error = trouble.message
        began = turn.first_claimed_at or now
        delay_s = _retry_delay_s(gateway, turn.attempts, trouble)
        gave_up = (now - began).total_seconds() + delay_s > gateway.policy.model_give_up_s
        # An answer that cannot be read was paid for, and the next one will hardly be another.
        gave_up |= trouble.code == "model_bad_answer" and turn.attempts >= MAX_BAD_ANSWERS
        if trouble.is_permanent or gave_up:
            progress.end(session, job, JobStatus.FAILED, now, error_code=trouble.code, error_message=trouble.message)
            return
        turn.retry_at = now + timedelta(seconds=delay_s)
        events.record(
            session, job, EventName.TURN_DELAYED, now, round=claim.round, attempt=turn.attempts,
            reason=trouble.message, retry_at=turn.retry_at.isoformat(),
        )  # fmt: skip
        gateway.engine.enqueue_advance(session, job.id, job.seq, delay_s=delay_s)


def _is_taken(gateway: Gateway, session: Session, turn: Turn, now: datetime) -> bool:
    if turn.answered_at is not None:
        return True
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


def _keep_turn(job: Job, turn: Turn, answer: ModelAnswer, now: datetime) -> None:
    turn.response = answer.response.replace("\x00", "\ufffd")
    turn.finish_reason = answer.finish_reason
    turn.calls = len(answer.calls)
    turn.answered_at = now
    turn.claimed_by = turn.claimed_until = turn.retry_at = None
    job.rounds = turn.number
    job.prompt_tokens += answer.usage.prompt_tokens
    job.completion_tokens += answer.usage.completion_tokens
    job.total_tokens += answer.usage.total_tokens


def _tool_call_ids(session: Session, job: Job, calls: tuple[ToolCall, ...]) -> list[str]:
    """The model's own ids, except where they cannot tell the calls of a conversation apart."""
    taken = turns.used_tool_call_ids(session, job.id) if calls else set()
    ids: list[str] = []
    for call in calls:
        chosen = call.id if call.id and _names_a_call(call.id) and call.id not in taken else new_tool_call_id()
        taken.add(chosen)
        ids.append(chosen)
    return ids


def _names_a_call(call_id: str) -> bool:
    # "null" is what some models send for nothing; what cannot be printed can often not be stored either.
    return call_id != "null" and call_id.isprintable() and len(call_id) <= MAX_TOOL_CALL_ID_LENGTH


def _message(answer: ModelAnswer, ids: list[str]) -> dict[str, Any]:
    if not ids:
        return answer.message
    calls = [{**call, "id": chosen} for call, chosen in zip(answer.message["tool_calls"], ids, strict=True)]
    return {**answer.message, "tool_calls": calls}


def _output(answer: ModelAnswer) -> str:
    output = {"role": "assistant", "content": answer.text, "finish_reason": answer.finish_reason}
    return json.dumps(output, ensure_ascii=False)


def _open_calls(
    gateway: Gateway, session: Session, job: Job, answer: ModelAnswer, ids: list[str], now: datetime
) -> None:
    born = []
    for position, (call, call_id) in enumerate(zip(answer.calls, ids, strict=True), start=1):
        opened = intake.open_call(
            gateway, job, call, tool_call_id=call_id, position=position, summary=answer.text or None, now=now
        )
        approval = opened.approval
        approvals.add(session, approval)
        events.record(session, job, EventName.APPROVAL_REQUESTED, now, approval=approval, action=approval.action)
        if opened.decision:
            born.append(opened.decision)
            events.record(
                session, job, EventName.APPROVAL_DECIDED, now, approval=approval, status=approval.status,
                reason_code=approval.reason_code,
            )  # fmt: skip
        if opened.result is not None:
            progress.write_result(session, approval, opened.result, now)
        if approval.status == ApprovalStatus.APPROVED:
            gateway.engine.enqueue_run(session, approval.id, approval.attempt, job.seq)
    progress.carry_on(gateway, session, job, now)
    decisions.append(session, born)


def _stop_at_round_limit(
    gateway: Gateway, session: Session, job: Job, answer: ModelAnswer, ids: list[str], now: datetime
) -> None:
    for slot, (call, call_id) in enumerate(zip(answer.calls, ids, strict=True), start=1):
        name = sendable_name(call.name)
        body = {"role": "tool", "tool_call_id": call_id, "name": name, "content": gateway.wording.round_limit}
        turns.add_message(
            session, job_id=job.id, round=job.rounds, slot=slot, role="tool", now=now,
            body=json.dumps(body, ensure_ascii=False),
        )  # fmt: skip
    message = f"The model still asked for tools after {job.max_rounds} rounds, the limit of this job."
    progress.end(session, job, JobStatus.FAILED, now, error_code="max_rounds", error_message=message)


def _retry_delay_s(gateway: Gateway, attempts: int, trouble: ModelTrouble) -> float:
    policy = gateway.policy
    ceiling = min(policy.retry_max_s, policy.retry_first_s * 2.0 ** min(attempts - 1, 16))
    # Full jitter spreads the jobs that one outage has stopped.
    jittered = ceiling * (0.5 + random.random() / 2)  # noqa: S311 (spreading load, not a secret)
    return max(jittered, min(trouble.retry_after_s or 0.0, policy.retry_max_s))
