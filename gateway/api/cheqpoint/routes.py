"""``/api/approvals`` and ``/api/webhooks/inbound``, as the ``cheqpoint`` SDK calls them."""

import time
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.answers import dump, json_answer
from gateway.api.cheqpoint.bodies import RequestBody, key_in, read_request
from gateway.api.cheqpoint.polls import Polls
from gateway.api.cheqpoint.view import RequestView
from gateway.api.credentials import authenticate, sent_credential
from gateway.api.openapi import json_body
from gateway.api.path_ids import check_id
from gateway.api.waiting import Reading, wait_until_done
from gateway.domain.permission import Actor, may_read, may_submit
from gateway.errors import NotAllowed, NotFound, Unauthenticated
from gateway.store import approvals, events
from gateway.usecases.cheqpoint import ORIGIN, read_decided, view_request
from gateway.usecases.requests import ActionRequest, file_request
from gateway.web.body import read_json_body
from gateway.web.limits import MAX_KEY_CHARS
from gateway.web.state import body_limits_of, gateway_of, site_of

#: So that the answer is on its way before the client's own time is over.
MARGIN_S = 0.05

router = APIRouter(tags=["cheqpoint"])

IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=MAX_KEY_CHARS)]


class CheqpointError(BaseModel):
    """How this face says no."""

    error: str


_EXAMPLE = {
    "refund": {
        "summary": "A refund",
        "value": {
            "action": "process_refund",
            "riskScore": 0.8,
            "summary": "Refund an order that never arrived",
            "details": {"order_id": "W5744371", "amount": 249.00},
        },
    }
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": CheqpointError, "description": words}
    for status, words in {
        401: "No key, or not one of ours",
        403: "The key lacks the scope",
        404: "There is no such request",
        413: "The body is too large",
        415: "The body is not JSON",
        422: "The body cannot be used; the sentence names the place",
        503: "The database does not answer",
    }.items()
}


@router.post(
    "/api/approvals/request",
    status_code=201,
    summary="Ask for a decision (Cheqpoint)",
    openapi_extra=json_body(RequestBody, _EXAMPLE),
    responses={
        200: {"model": RequestView, "description": "It was asked before with the same Idempotency-Key"},
        201: {"model": RequestView},
        **_REFUSALS,
    },
)
async def request_approval(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """The request waits for a reviewer; the program that asked polls for the decision, and acts on it itself."""
    actor, _body, asked = await _read(request)
    filed = await run_in_threadpool(
        file_request, gateway_of(request), actor, replace(asked, idempotency_key=idempotency_key)
    )
    reading = await run_in_threadpool(_reading, request, actor, filed.approval.id, is_inbound=False)
    return json_answer(reading.value, 200 if filed.is_replay else 201)


@router.get(
    "/api/approvals/{approval_id}",
    summary="What became of a request (Cheqpoint)",
    responses={
        200: {"model": RequestView},
        **{status: refusal for status, refusal in _REFUSALS.items() if status in {401, 403, 404, 503}},
    },
)
async def get_request(request: Request, approval_id: str) -> Response:
    """A first look is answered at once. Whoever polls on is held until there is a decision: by a second or so at
    first, later for up to 45 s, and never for more than a quarter of the time that they have polled.
    """
    actor = await run_in_threadpool(_identify, request, None)
    if not (may_read(actor) or may_submit(actor)):
        raise NotAllowed("This key may neither submit nor read.")
    check_id(approval_id)
    polls: Polls = request.app.state.polls
    read = partial(_reading, request, actor, approval_id, is_inbound=False)
    # Of this machine: somebody elsewhere who only looks is not kept waiting because of it.
    poller = f"{approval_id} {request.client.host if request.client else ''}"
    hold_s = polls.hold_s(poller)
    topic = events.approval_topic(approval_id)
    reading = await wait_until_done(request, topic, read, hold_s, reads_at_end=False)
    (polls.forget if reading.is_done else polls.answered)(poller)
    return json_answer(reading.value)


@router.post(
    "/api/webhooks/inbound",
    summary="Ask for a decision and wait for it (Cheqpoint)",
    openapi_extra=json_body(RequestBody, _EXAMPLE),
    responses={
        200: {"model": RequestView, "description": "`status` is approved, rejected or pending"},
        **_REFUSALS,
    },
)
async def inbound(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """The answer is held for up to `maxWaitMs` until somebody has decided."""
    began_s = time.monotonic()
    actor, body, asked = await _read(request)
    filed = await run_in_threadpool(
        file_request, gateway_of(request), actor, replace(asked, idempotency_key=idempotency_key)
    )
    approval_id = filed.approval.id
    read = partial(_reading, request, actor, approval_id, is_inbound=True)
    hold_s = max(0.0, body.hold_s - MARGIN_S - (time.monotonic() - began_s))
    reading = await wait_until_done(request, events.approval_topic(approval_id), read, hold_s)
    return json_answer(reading.value)


async def _read(request: Request) -> tuple[Actor, RequestBody, ActionRequest]:
    """Who asks, and for what. Raises: what this face refuses."""
    raw = await read_json_body(request, body_limits_of(request).decision_bytes)
    actor = await run_in_threadpool(_identify, request, raw)
    if not may_submit(actor):
        raise NotAllowed("Asking takes a key with the scope submit, or the token of a reviewer or an admin.")
    body, asked = await run_in_threadpool(
        read_request, raw, gateway_of(request).policy.limits, body_limits_of(request).decision_bytes
    )
    return actor, body, asked


def _identify(request: Request, raw: bytes | None) -> Actor:
    """The app or the person of this request, by header or, without one, by the body's ``apiKey``.

    Raises: Unauthenticated. A cookie does not count here: no page of ours asks.
    """
    credential = sent_credential(request)
    if credential is None and raw is not None:
        credential = key_in(raw, gateway_of(request).policy.limits, body_limits_of(request).decision_bytes)
    if not credential:
        raise Unauthenticated
    return authenticate(gateway_of(request), credential)


def _reading(request: Request, actor: Actor, approval_id: str, *, is_inbound: bool) -> Reading[bytes]:
    gateway, site = gateway_of(request), site_of(request)
    # Single questions: a request that waits is one row, and the decision about one that does not never changes.
    with gateway.database.glance() as session:
        row = approvals.find(session, approval_id)
        # Whoever asked alone: here the arguments stand with their secrets, as they are to be acted on.
        if row is None or row.origin != ORIGIN or row.owner != actor.owner:
            raise NotFound
        now = gateway.database.now(session) if row.release_at else row.created_at
        decided = read_decided(session, row, now)
    # The release of a held approval is a matter of time alone: nobody signals it.
    is_done = decided.state != "PENDING"
    left_s = (row.release_at - now).total_seconds() if not is_done and row.release_at else None
    view = view_request(row, decided, site.review_url(row.id))
    if is_inbound:
        view["status"] = decided.state.lower()
    return Reading(dump(view), is_done=is_done, look_again_s=left_s)
