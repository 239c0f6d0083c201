"""Telling open pages that something changed. What changed they ask for: an event that is lost costs nothing.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.domain.permission import PersonActor
from gateway.store import accounts, events
from gateway.usecases.gateway import Gateway
from gateway.web.signed_in import find_signed_in, signed_in_person
from gateway.web.state import closing_of, gateway_of, readers_of
from reviewer_ui.access import Person
from reviewer_ui.inbox_list import Counts, read_counts

KEEP_ALIVE_S = 15.0
REST_S = 1.0  # between two events: a page that is told of each of a hundred calls a second is told nothing
MAX_STREAM_S = 3600.0

router = APIRouter(include_in_schema=False)


@router.get("/events")
async def follow(request: Request) -> Response:
    """An event ``inbox`` now and after each change, with the counts of the badges; it ends when the sign-in does."""
    if await signed_in_person(request) is None:
        return Response(status_code=401)  # not the form: nobody would see it
    return EventSourceResponse(_stream(request), headers={"X-Accel-Buffering": "no"})


@router.get("/inbox/count")
def count(request: Request, person: Person) -> Response:
    """The same counts, for a page in the background: it has no stream."""
    return JSONResponse(_read(gateway_of(request), person).as_facts())


async def _stream(request: Request) -> AsyncIterator[bytes]:
    closing = closing_of(request)
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + MAX_STREAM_S
    topics = (events.INBOX_TOPIC, accounts.CREDENTIALS_TOPIC)
    with gateway_of(request).database.signals.waiting(*topics) as waiter:
        while not closing.has_begun and loop.time() < ends_at:
            counts = await loop.run_in_executor(readers_of(request), _read_for, request)
            if counts is None:
                return
            yield format_sse_event(data_str=json.dumps(counts.as_facts()), event="inbox")
            await asyncio.sleep(REST_S)
            while loop.time() < ends_at and not await waiter.wait(KEEP_ALIVE_S):
                yield KEEPALIVE_COMMENT


def _read_for(request: Request) -> Counts | None:
    """The counts, as long as the browser is signed in."""
    person = find_signed_in(request)
    return _read(gateway_of(request), person) if person else None


def _read(gateway: Gateway, person: PersonActor) -> Counts:
    with gateway.database.read() as session:
        return read_counts(session, gateway.database.now(session), person)
