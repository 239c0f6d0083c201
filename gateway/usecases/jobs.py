"""Submitting and cancelling jobs."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.callback_url import check_url, read_url
from gateway.domain.event import EventName
from gateway.domain.job import JobStatus
from gateway.domain.permission import Actor, PersonActor, may_submit, sees_owner
from gateway.errors import (
    CallbackRefused,
    GatewayError,
    IdempotencyKeyReused,
    JobFinished,
    NotAllowed,
    NotFound,
    UnknownTool,
)
from gateway.store import decisions, events, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Job
from gateway.usecases import closing, ledger, progress
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_id

Refusal = UnknownTool | CallbackRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What an app wants done. ``messages`` are (role, exact JSON text) in order."""

    messages: tuple[tuple[str, str], ...]
    model: str | None
    agent_id: str | None
    options: dict[str, object]  #: passed to the model as they are, in Mistral's names
    tools: tuple[str, ...] | None  #: None: all that are registered
    permission: str
    max_rounds: int
    on_behalf_of: str | None
    metadata_text: str | None
    idempotency_key: str | None
    body_sha256: str
    deadline_s: int | None = None  #: from submission on; None: it may take any time
    max_repeats: int | None = None  #: of a rejected call; None: as the gateway's policy says
    callback_url: str | None = None  #: where its end is told


@dataclass(frozen=True, slots=True)
class Submitted:
    job: Job
    is_replay: bool  #: the Idempotency-Key was known: this is the job of the first time


def submit(gateway: Gateway, actor: Actor, submission: Submission) -> Submitted:
    """The job and its first step are in the database, or nothing is.

    Raises: UnknownTool; CallbackRefused; IdempotencyKeyReused when the key came with another body.
    """
    [outcome] = submit_many(gateway, [(actor, submission)])
    if isinstance(outcome, GatewayError):
        raise outcome
    return outcome


def submit_many(gateway: Gateway, asked: Sequence[tuple[Actor, Submission]]) -> list[Submitted | GatewayError]:
    """What became of each submission, in order; all that were taken are in the database by one commit."""
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        drafts = [_draft(gateway, actor, submission, now) for actor, submission in asked]
        written = jobs.add(session, [draft for draft in drafts if isinstance(draft, Job)])
        messages = {
            draft.id: submission.messages
            for (_, submission), draft in zip(asked, drafts, strict=True)
            if isinstance(draft, Job) and draft.id in written
        }
        _begin(gateway, session, messages, now)
        return [
            _outcome(session, actor, submission, draft, written)
            for (actor, submission), draft in zip(asked, drafts, strict=True)
        ]


def cancel(gateway: Gateway, actor: Actor, job_id: str, *, channel: str = "api") -> Job:
    """The job has ended; what was not started will not run. Cancelling again changes nothing.

    A started execution is not interrupted: its result is still recorded.
    Raises: NotAllowed; NotFound; JobFinished when it had ended otherwise.
    """
    if not may_submit(actor):
        raise NotAllowed("Only those who may submit jobs may cancel them.")
    with gateway.database.write() as session:
        job = jobs.lock(session, job_id)
        if job is None or not sees_owner(actor, job.owner):
            raise NotFound
        if job.status == JobStatus.CANCELLED:
            return job
        if JobStatus(job.status).is_final:
            raise JobFinished(job_status=job.status)
        now = gateway.database.now(session)
        by = ledger.by_actor(actor, channel)
        entries = closing.close_calls(gateway, session, job, by, "job_cancelled", now)
        progress.end(session, job, JobStatus.CANCELLED, now)
        decisions.append(session, entries)
        return job


def _draft(gateway: Gateway, actor: Actor, submission: Submission, now: datetime) -> Job | Refusal:
    known = gateway.tools.names()
    tools = list(known if submission.tools is None else submission.tools)
    for name in (*tools, *_forced_tool(submission)):
        if name not in known:
            return UnknownTool(f"No tool is called {name!r} here.", tool=name)
    if submission.callback_url is not None:
        try:
            check_url(read_url(submission.callback_url), gateway.policy.callback_allow)
        except CallbackRefused as refusal:
            return CallbackRefused(f"callback_url: {refusal.message}", field="callback_url")
    model = submission.model if submission.agent_id else submission.model or gateway.policy.default_model
    return Job(
        id=new_id("job"),
        status=JobStatus.QUEUED,
        owner=actor.owner,
        app=None if isinstance(actor, PersonActor) else actor.app,
        submitted_by=actor.email if isinstance(actor, PersonActor) else None,
        on_behalf_of=submission.on_behalf_of,
        model=model,
        agent_id=submission.agent_id,
        request=json.dumps({"tools": tools, "options": submission.options}, ensure_ascii=False),
        permission=submission.permission,
        max_rounds=submission.max_rounds,
        max_repeats=gateway.policy.max_repeats if submission.max_repeats is None else submission.max_repeats,
        seq=1,
        metadata_text=submission.metadata_text,
        idempotency_key=submission.idempotency_key,
        body_sha256=submission.body_sha256,
        callback_url=submission.callback_url,
        created_at=now,
        updated_at=now,
        deadline_at=None if submission.deadline_s is None else now + timedelta(seconds=submission.deadline_s),
    )


def _forced_tool(submission: Submission) -> tuple[str, ...]:
    match submission.options.get("tool_choice"):
        case {"function": {"name": str(name)}}:
            return (name,)
        case _:
            return ()


def _begin(
    gateway: Gateway, session: Session, messages: Mapping[str, Sequence[tuple[str, str]]], now: datetime
) -> None:
    """Each of these jobs has its messages, its first event and its first step."""
    if not messages:
        return
    turns.add_submitted(session, messages, now)
    events.add_first(session, messages, EventName.JOB_SUBMITTED, now)
    for job_id in messages:
        gateway.engine.enqueue_advance(session, job_id, 1)


def _outcome(
    session: Session, actor: Actor, submission: Submission, draft: Job | Refusal, written: Collection[str]
) -> Submitted | GatewayError:
    if not isinstance(draft, Job):
        return draft
    if draft.id in written:
        return Submitted(draft, is_replay=False)
    first = jobs.find_by_idempotency_key(session, actor.owner, submission.idempotency_key or "")
    if first is None or first.body_sha256 != submission.body_sha256:
        return IdempotencyKeyReused(job_id=first.id if first else None)
    return Submitted(first, is_replay=True)
