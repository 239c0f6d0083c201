"""``/api/v1/jobs/{id}/events``: what happens to a job, as it happens (server-sent events).

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Header
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway import errors
from gateway.api.answers import dump
from gateway.api.credentials import Reader, identify_reader
from gateway.api.jobs import find_seen
from gateway.api.openapi import refusals
from gateway.api.path_ids import JobId
from gateway.api.waiting import read_in_turn
from gateway.domain.job import JobStatus
from gateway.domain.permission import Actor
from gateway.store import accounts, events
from gateway.store.tables import Event
from gateway.usecases.gateway import Gateway
from gateway.web.state import closing_of, gateway_of

KEEP_ALIVE_S = 15.0
MAX_STREAM_S = 3600.0
BATCH = 500

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

_EXAMPLE = """\
event: approval.requested
data: {"name":"approval.requested","at":"2026-11-21T08:00:00Z","approval_id":"apr_…","data":{"action":"issue_refund"}}
id: 3

"""


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=Response,  # with EventSourceResponse FastAPI would take the function for a generator
    responses={
        200: {
            "description": "Events until the job has ended",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        204: {"description": "The job has ended, and `Last-Event-ID` is its last event"},
        **refusals(errors.Unauthenticated, errors.NotAllowed, errors.NotFound, errors.InvalidRequest),
    },
)
async def follow_job(
    request: Request,
    actor: Reader,
    job_id: JobId,
    last_event_id: Annotated[int, Header(ge=0, le=2**53, description="The id of the last event that was seen")] = 0,
) -> Response:
    """Each event's id is its number within the job; the stream ends with the job's last event."""
    rows, has_ended = await run_in_threadpool(_read, gateway_of(request), actor, job_id, last_event_id)
    if has_ended and not rows:
        # Browsers open an ended stream again and again, unless they are told that there is nothing.
        return Response(status_code=204)
    return EventSourceResponse(_stream(request, job_id, last_event_id), headers={"X-Accel-Buffering": "no"})


async def _stream(request: Request, job_id: str, after: int) -> AsyncIterator[bytes]:
    """The events from there on, for as long as the credential holds: it is looked at with each reading."""
    closing = closing_of(request)
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + MAX_STREAM_S
    topics = (events.job_topic(job_id), accounts.CREDENTIALS_TOPIC)
    with gateway_of(request).database.signals.waiting(*topics) as waiter:
        while not closing.has_begun and loop.time() < ends_at:
            try:
                rows, has_ended = await read_in_turn(request, partial(_read_on, request, job_id, after))
            except (errors.Unauthenticated, errors.NotAllowed):
                return
            for row in rows:
                yield _format(row)
            after = rows[-1].seq or after if rows else after
            if len(rows) == BATCH:
                continue
            if has_ended:
                return
            while loop.time() < ends_at and not await waiter.wait(KEEP_ALIVE_S):
                yield KEEPALIVE_COMMENT


def _read_on(request: Request, job_id: str, after: int) -> tuple[Sequence[Event], bool]:
    return _read(gateway_of(request), identify_reader(request), job_id, after)


def _read(gateway: Gateway, actor: Actor, job_id: str, after: int) -> tuple[Sequence[Event], bool]:
    """The next events, and whether the job had ended by then."""
    with gateway.database.read() as session:
        job = find_seen(session, actor, job_id)
        return events.of_job(session, job_id, after, BATCH), JobStatus(job.status).is_final


def _format(row: Event) -> bytes:
    data = {"name": row.name, "at": row.at, "approval_id": row.approval_id, "data": orjson.Fragment(row.data)}
    return format_sse_event(data_str=dump(data).decode(), event=row.name, id=str(row.seq))
