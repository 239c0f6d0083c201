"""What an answer of the model makes of its job: its message, its calls, or the job's end."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.domain.approval import ApprovalStatus
from gateway.domain.event import EventName
from gateway.domain.job import JobStatus
from gateway.domain.turn import ModelAnswer, ToolCall, sendable_name
from gateway.store import approvals, decisions, events, turns
from gateway.store.session import Session
from gateway.store.tables import Job, Turn
from gateway.usecases import intake, notices, progress, repeats, similar
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_tool_call_id
from gateway.usecases.repeats import Repeat

MAX_TOOL_CALL_ID_LENGTH = 200


def take_answer(gateway: Gateway, session: Session, job: Job, turn: Turn, answer: ModelAnswer, now: datetime) -> None:
    """The answer is part of the transcript; its calls are approvals, or the job has ended. Both rows are locked."""
    _keep_turn(job, turn, answer, now)
    ids = _tool_call_ids(session, job, answer.calls)
    body = json.dumps(_message(answer, ids), ensure_ascii=False)
    turns.add_message(session, job_id=job.id, round=turn.number, slot=0, role="assistant", body=body, now=now)
    events.record(session, job, EventName.TURN_ANSWERED, now, round=turn.number, calls=len(answer.calls))
    if not answer.calls:
        progress.end(session, job, JobStatus.SUCCEEDED, now, output=_output(answer))
        return
    if turn.number >= job.max_rounds:
        _answer_unopened(session, job, answer, ids, gateway.wording.round_limit, now)
        message = f"The model still asked for tools after {job.max_rounds} rounds, the limit of this job."
        progress.end(session, job, JobStatus.FAILED, now, error_code="max_rounds", error_message=message)
        return
    found = repeats.find_repeats(gateway, session, job, answer.calls)
    if (excess := repeats.beyond_limit(job, found)) is not None:
        _answer_unopened(session, job, answer, ids, gateway.wording.repeat_limit, now)
        message = _too_many(job, excess)
        progress.end(session, job, JobStatus.FAILED, now, error_code="max_repeats", error_message=message)
        return
    _open_calls(gateway, session, job, answer, ids, found, now)


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
    gateway: Gateway,
    session: Session,
    job: Job,
    answer: ModelAnswer,
    ids: list[str],
    found: Sequence[Repeat | None],
    now: datetime,
) -> None:
    born = []
    for position, (call, call_id, repeat) in enumerate(zip(answer.calls, ids, found, strict=True), start=1):
        opened = intake.open_call(
            gateway, job, call, tool_call_id=call_id, position=position, summary=answer.text or None, repeat=repeat,
            now=now,
        )  # fmt: skip
        approval = opened.approval
        similar.mark_if_similar(gateway, session, job, approval)
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
        elif approval.status == ApprovalStatus.PENDING and gateway.policy.tells_reviewers:
            notices.queue(session, approval, now)
    progress.carry_on(gateway, session, job, now)
    decisions.append(session, born)


def _answer_unopened(session: Session, job: Job, answer: ModelAnswer, ids: list[str], told: str, now: datetime) -> None:
    """Every call of the turn has its tool message, without having been one for anybody to decide."""
    for slot, (call, call_id) in enumerate(zip(answer.calls, ids, strict=True), start=1):
        body = {"role": "tool", "tool_call_id": call_id, "name": sendable_name(call.name), "content": told}
        turns.add_message(
            session, job_id=job.id, round=job.rounds, slot=slot, role="tool", now=now,
            body=json.dumps(body, ensure_ascii=False),
        )  # fmt: skip


def _too_many(job: Job, excess: Repeat) -> str:
    allowed = "no repeat" if job.max_repeats == 0 else f"{job.max_repeats} repeats" if job.max_repeats != 1 else "one"
    return (
        f"The model asked again for a call of {sendable_name(excess.action)} that had been rejected: "
        f"repeat {excess.number}, where this job allows {allowed}."
    )
