"""``/api/v1/jobs``: submitting work, watching it, cancelling it."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway import errors
from gateway.api import submission
from gateway.api.answers import dump, json_answer
from gateway.api.credentials import Reader, Submitter
from gateway.api.job_view import JobView
from gateway.api.openapi import json_body, refusals
from gateway.api.path_ids import JobId
from gateway.api.queries import ListQuery, Several, Wait
from gateway.api.transcript import view_messages
from gateway.api.waiting import Reading, answer_when_done, preferred_wait_s, wait_until_done
from gateway.domain.job import JobStatus
from gateway.domain.permission import Actor, PersonActor, sees_owner
from gateway.store import approvals, events, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Job
from gateway.usecases import jobs as usecase
from gateway.usecases.gateway import Gateway
from gateway.usecases.showing import view_job, view_jobs
from gateway.web.body import read_json_body
from gateway.web.limits import MAX_KEY_CHARS
from gateway.web.state import body_limits_of, gateway_of, submissions_of

SMALL_BODY_BYTES = 64 * 1024  # read on the event loop: handing it to a thread takes longer

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])


class JobList(ListQuery):
    not_yet = frozenset({"session_id"})

    status: Several[JobStatus] = Field(default_factory=list)


class JobPage(BaseModel):
    items: list[JobView]
    next_cursor: str | None


class Transcript(BaseModel):
    job_id: str
    messages: list[dict[str, Any]]


@router.post(
    "",
    status_code=202,
    summary="Submit a job",
    openapi_extra=json_body(submission.JobBody, submission.EXAMPLES),
    responses={
        200: {"model": JobView, "description": "It ended within `Prefer: wait=N`, or had ended before"},
        202: {"model": JobView, "description": "It is queued, or the key was used before and it has not ended"},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.CrossSite, errors.BodyTooLarge,
            errors.UnsupportedMediaType, errors.InvalidJson, errors.TooLarge, errors.InvalidRequest,
            errors.NotAvailable, errors.UnknownTool, errors.CallbackRefused, errors.IdempotencyKeyReused,
            errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def submit_job(
    request: Request,
    actor: Submitter,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=MAX_KEY_CHARS)] = None,
) -> Response:
    """The job is stored and queued when this answers.

    With `Idempotency-Key` the same key and the same bytes give the same job
    again. With `Prefer: wait=N` the answer comes when the job has ended, or
    after N seconds (at most 60).
    """
    max_bytes = body_limits_of(request).job_bytes
    raw = await read_json_body(request, max_bytes)
    gateway = gateway_of(request)
    read_wanted = partial(submission.read_submission, raw, idempotency_key, max_bytes)
    wanted = read_wanted() if len(raw) <= SMALL_BODY_BYTES else await run_in_threadpool(read_wanted)
    submitted = await submissions_of(request).submit(actor, wanted)
    job = submitted.job
    headers = {"Location": f"{router.prefix}/{job.id}"}
    if submitted.is_replay:
        headers["Idempotent-Replayed"] = "true"
        body = (await run_in_threadpool(_read_job, gateway, actor, job.id)).value
    else:
        body = dump(view_job(job, (), {}, job.created_at))
    is_final = JobStatus(job.status).is_final
    wait_s = preferred_wait_s(request)
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
        if not is_final:
            read = partial(_read_job, gateway, actor, job.id)
            reading = await wait_until_done(request, events.job_topic(job.id), read, wait_s)
            body, is_final = reading.value, reading.is_done
    return json_answer(body, 200 if is_final else 202, headers)


@router.get(
    "",
    summary="List jobs, newest first",
    responses={
        200: {"model": JobPage},
        **refusals(errors.Unauthenticated, errors.NotAllowed, errors.InvalidRequest, errors.NotAvailable),
    },
)
async def list_jobs(request: Request, actor: Reader, query: Annotated[JobList, Query()]) -> Response:
    """An app sees its own jobs, people see all. `status` may be repeated, or hold several with commas."""
    return json_answer(await run_in_threadpool(_list, gateway_of(request), actor, query))


@router.get(
    "/{job_id}",
    summary="One job",
    responses={
        200: {"model": JobView},
        304: {"description": "It is still the version of `If-None-Match`"},
        **refusals(errors.Unauthenticated, errors.NotAllowed, errors.NotFound, errors.InvalidRequest),
    },
)
async def get_job(request: Request, actor: Reader, job_id: JobId, query: Wait) -> Response:
    """With `wait` and `If-None-Match` it answers when the job has changed, with `wait` alone when it has ended."""
    read = partial(_read_job, gateway_of(request), actor, job_id)
    return await answer_when_done(request, events.job_topic(job_id), read, query.wait)


@router.get(
    "/{job_id}/transcript",
    summary="The exact messages of a job",
    responses={200: {"model": Transcript}, **refusals(errors.Unauthenticated, errors.NotAllowed, errors.NotFound)},
)
async def get_transcript(request: Request, actor: Reader, job_id: JobId) -> Response:
    """What was sent to the model and received from it, in order and character for character.

    In the arguments of calls "••••" stands where their tool has a secret; the model was sent the true values.
    """
    return json_answer(await run_in_threadpool(_transcript, gateway_of(request), actor, job_id))


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    responses={
        200: {"model": JobView},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.CrossSite, errors.NotFound, errors.JobFinished,
            errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def cancel_job(request: Request, actor: Submitter, job_id: JobId) -> Response:
    """What has not started will not run; cancelling again changes nothing."""
    return json_answer(await run_in_threadpool(_cancel, gateway_of(request), actor, job_id))


def find_seen(session: Session, actor: Actor, job_id: str) -> Job:
    """The job, if it exists for this actor. Raises: NotFound, the same for unknown and foreign ones."""
    job = jobs.find(session, job_id)
    if job is None or not sees_owner(actor, job.owner):
        raise errors.NotFound
    return job


def _cancel(gateway: Gateway, actor: Actor, job_id: str) -> bytes:
    usecase.cancel(gateway, actor, job_id)
    return _read_job(gateway, actor, job_id).value


def _read_job(gateway: Gateway, actor: Actor, job_id: str) -> Reading[bytes]:
    with gateway.database.read() as session:
        job = find_seen(session, actor, job_id)
        view = view_jobs(session, [job], gateway.database.now(session))[0]
    return Reading(dump(view), is_done=JobStatus(job.status).is_final)


def _list(gateway: Gateway, actor: Actor, query: JobList) -> bytes:
    owner = None if isinstance(actor, PersonActor) else actor.owner
    with gateway.database.read() as session:
        page = jobs.page(session, owner=owner, statuses=query.status, cursor=query.cursor, limit=query.limit)
        views = view_jobs(session, page.items, gateway.database.now(session))
    return dump({"items": views, "next_cursor": page.next_cursor})


def _transcript(gateway: Gateway, actor: Actor, job_id: str) -> bytes:
    with gateway.database.read() as session:
        find_seen(session, actor, job_id)
        messages, calls = turns.messages(session, job_id), approvals.of_job(session, job_id)
    return dump({"job_id": job_id, "messages": view_messages(messages, calls, gateway.tools)})
