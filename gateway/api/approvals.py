"""``/api/v1/approvals``: what waits for a reviewer, and deciding it."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway import errors
from gateway.api import ruling
from gateway.api.answers import dump, json_answer, spliced
from gateway.api.approval_view import ApprovalView, read_surroundings, view_approval
from gateway.api.bodies import Plain, invalid
from gateway.api.credentials import Decider, Reader
from gateway.api.openapi import json_body, refusals
from gateway.api.path_ids import ApprovalId
from gateway.api.queries import ListQuery, Several, Wait
from gateway.api.waiting import Reading, answer_when_done
from gateway.domain.approval import ApprovalStatus
from gateway.domain.execution import ExecutionStatus
from gateway.domain.permission import ME, Actor, PersonActor, sees_owner
from gateway.store import approvals, events
from gateway.usecases import approvals as usecase
from gateway.usecases import assigning, extending, resolutions, revealing
from gateway.usecases.gateway import Gateway
from gateway.usecases.showing import shown_status
from gateway.web.address import Site
from gateway.web.body import read_json_body
from gateway.web.state import body_limits_of, gateway_of, site_of

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"])


class ApprovalList(ListQuery):
    status: Several[ApprovalStatus] = Field(default_factory=list)
    execution: Several[ExecutionStatus] = Field(default_factory=list)
    action: Plain | None = None
    job_id: Plain | None = None
    risk: Several[Literal["low", "medium", "high", "critical"]] = Field(default_factory=list)
    assignee: Plain | None = Field(
        None, pattern=r"^(me|none|per_[0-9a-z]{26})$", description="A person's id; `me`; `none`: nobody's"
    )


class ApprovalPage(BaseModel):
    items: list[ApprovalView]
    next_cursor: str | None


class RevealedView(BaseModel):
    """What stands at the pointers, character for character; a pointer to nothing is left out."""

    values: dict[str, Any] = Field(
        description="As asked, by pointer", examples=[{"/card_number": "4111 1111 1111 1111"}]
    )
    modified_values: dict[str, Any] = Field(description="As edited, by pointer; empty without an edit")


@router.get(
    "",
    summary="List approvals, oldest first",
    responses={
        200: {"model": ApprovalPage},
        **refusals(errors.Unauthenticated, errors.NotAllowed, errors.InvalidRequest),
    },
)
async def list_approvals(request: Request, actor: Reader, query: Annotated[ApprovalList, Query()]) -> Response:
    """Filters of different names all apply; one that holds several values (repeated, or with commas) takes any."""
    return json_answer(await run_in_threadpool(_list, gateway_of(request), site_of(request), actor, query))


@router.get(
    "/{approval_id}",
    summary="One approval",
    responses={
        200: {"model": ApprovalView},
        304: {"description": "It is still the version of `If-None-Match`"},
        **refusals(errors.Unauthenticated, errors.NotAllowed, errors.NotFound, errors.InvalidRequest),
    },
)
async def get_approval(request: Request, actor: Reader, approval_id: ApprovalId, query: Wait) -> Response:
    """With `wait` and `If-None-Match` it answers when it has changed, with `wait` alone when it is not pending."""
    read = partial(_read, gateway_of(request), site_of(request), actor, approval_id)
    return await answer_when_done(request, events.approval_topic(approval_id), read, query.wait)


@router.post(
    "/{approval_id}/decision",
    summary="Decide",
    openapi_extra=json_body(ruling.DecisionBody, ruling.DECISION_EXAMPLES),
    responses={
        200: {"model": ApprovalView},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.OwnRequest, errors.CrossSite, errors.NotFound,
            errors.AlreadyDecided, errors.StaleDetails, errors.ToolChanged, errors.Expired, errors.BodyTooLarge,
            errors.UnsupportedMediaType, errors.InvalidJson, errors.TooLarge, errors.InvalidRequest,
            errors.InvalidDetails, errors.NoteRequired, errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def decide(request: Request, person: Decider, approval_id: ApprovalId) -> Response:
    """The verdict counts for exactly the arguments whose hash is sent; the same one again changes nothing.

    Reviewers and admins only, by token or on the pages. An edit is run as the exact characters that were sent.
    """
    raw = await read_json_body(request, body_limits_of(request).decision_bytes)
    return json_answer(await run_in_threadpool(_decide, request, person, approval_id, raw))


@router.post(
    "/{approval_id}/undo",
    summary="Take an approval back before its release",
    responses={
        200: {"model": ApprovalView},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.CrossSite, errors.NotFound, errors.NotUndoable,
            errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def undo(request: Request, person: Decider, approval_id: ApprovalId) -> Response:
    """It is pending again. Only what was approved on the pages is held back for a moment (`release_at`)."""
    return json_answer(await run_in_threadpool(_undo, request, person, approval_id))


@router.post(
    "/{approval_id}/extend",
    summary="Give it more time",
    openapi_extra=json_body(ruling.ExtensionBody, ruling.EXTENSION_EXAMPLES),
    responses={
        200: {"model": ApprovalView},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.OwnRequest, errors.CrossSite, errors.NotFound,
            errors.AlreadyDecided, errors.Expired, errors.BodyTooLarge, errors.UnsupportedMediaType,
            errors.InvalidJson, errors.TooLarge, errors.InvalidRequest, errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def extend(request: Request, person: Decider, approval_id: ApprovalId) -> Response:
    """It can be decided until `expires_at`, by whoever may decide it; the same time again changes nothing.

    For those who may decide it, and only while it is pending. The log keeps who gave the time.
    """
    raw = await read_json_body(request, body_limits_of(request).decision_bytes)
    return json_answer(await run_in_threadpool(_extend, request, person, approval_id, raw))


@router.post(
    "/{approval_id}/assignment",
    summary="Say who looks at it",
    openapi_extra=json_body(ruling.AssignmentBody, ruling.ASSIGNMENT_EXAMPLES),
    responses={
        200: {"model": ApprovalView},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.OwnRequest, errors.CrossSite, errors.NotFound,
            errors.AlreadyDecided, errors.Expired, errors.BodyTooLarge, errors.UnsupportedMediaType,
            errors.InvalidJson, errors.TooLarge, errors.InvalidRequest, errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def assign(request: Request, person: Decider, approval_id: ApprovalId) -> Response:
    """A person who may decide takes the pending call, gives it to another one, or gives it back.

    It restricts nobody: whoever else may decide the call still may. The same assignee again changes nothing.
    """
    raw = await read_json_body(request, body_limits_of(request).decision_bytes)
    return json_answer(await run_in_threadpool(_assign, request, person, approval_id, raw))


@router.post(
    "/{approval_id}/resolution",
    summary="Settle a call that is in doubt",
    openapi_extra=json_body(ruling.ResolutionBody, ruling.RESOLUTION_EXAMPLES),
    responses={
        200: {"model": ApprovalView},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.CrossSite, errors.NotFound, errors.NotInDoubt,
            errors.BodyTooLarge, errors.UnsupportedMediaType, errors.InvalidJson, errors.TooLarge,
            errors.InvalidRequest, errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def resolve(request: Request, person: Decider, approval_id: ApprovalId) -> Response:
    """For an execution whose status is `unknown`: it ran, it did not run, or it shall run again with the same key."""
    raw = await read_json_body(request, body_limits_of(request).decision_bytes)
    return json_answer(await run_in_threadpool(_resolve, request, person, approval_id, raw))


@router.post(
    "/{approval_id}/reveal",
    summary="See what is masked",
    openapi_extra=json_body(ruling.RevealBody, ruling.REVEAL_EXAMPLES),
    responses={
        200: {"model": RevealedView},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.CrossSite, errors.NotFound, errors.BodyTooLarge,
            errors.UnsupportedMediaType, errors.InvalidJson, errors.TooLarge, errors.InvalidRequest,
            errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def reveal(request: Request, person: Decider, approval_id: ApprovalId) -> Response:
    """The true values, for those who may decide. The job's feed keeps who saw which pointers, and when."""
    raw = await read_json_body(request, body_limits_of(request).decision_bytes)
    body = await run_in_threadpool(_reveal, request, person, approval_id, raw)
    return json_answer(body, headers={"Cache-Control": "no-store"})


def _list(gateway: Gateway, site: Site, actor: Actor, query: ApprovalList) -> bytes:
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        page = approvals.page(
            session,
            owner=None if isinstance(actor, PersonActor) else actor.owner,
            statuses=query.status,
            held_since=now,
            execution=query.execution,
            action=query.action,
            job_id=query.job_id,
            risk=query.risk,
            assignee=_assignee(actor, query.assignee),
            cursor=query.cursor,
            limit=query.limit,
        )
        around = read_surroundings(session, page.items, now, site)
    return dump({"items": [view_approval(row, around) for row in page.items], "next_cursor": page.next_cursor})


def _assignee(actor: Actor, asked: str | None) -> str | None:
    if asked != ME:
        return asked
    if not isinstance(actor, PersonActor):
        raise invalid([{"pointer": "/assignee", "message": "an app is nobody to whom calls are assigned"}])
    return actor.id


def _read(gateway: Gateway, site: Site, actor: Actor, approval_id: str) -> Reading[bytes]:
    with gateway.database.read() as session:
        row = approvals.find(session, approval_id)
        if row is None or not sees_owner(actor, row.owner):
            raise errors.NotFound
        around = read_surroundings(session, [row], gateway.database.now(session), site)
    is_pending = shown_status(row, around.now) == ApprovalStatus.PENDING
    # The release of a held approval is a matter of time alone: nobody signals it.
    is_held = is_pending and row.status != ApprovalStatus.PENDING and row.release_at is not None
    left_s = (row.release_at - around.now).total_seconds() if is_held and row.release_at else None
    return Reading(dump(view_approval(row, around)), is_done=not is_pending, look_again_s=left_s)


def _decide(request: Request, person: PersonActor, approval_id: str, raw: bytes) -> bytes:
    gateway = gateway_of(request)
    asked = ruling.read_ruling(raw, gateway.policy.limits, body_limits_of(request).decision_bytes)
    usecase.decide(gateway, person, approval_id, asked)
    return _read(gateway, site_of(request), person, approval_id).value


def _undo(request: Request, person: PersonActor, approval_id: str) -> bytes:
    gateway = gateway_of(request)
    usecase.undo(gateway, person, approval_id)
    return _read(gateway, site_of(request), person, approval_id).value


def _extend(request: Request, person: PersonActor, approval_id: str, raw: bytes) -> bytes:
    gateway = gateway_of(request)
    expires_at = ruling.read_extension(raw, gateway.policy.limits, body_limits_of(request).decision_bytes)
    extending.extend(gateway, person, approval_id, expires_at)
    return _read(gateway, site_of(request), person, approval_id).value


def _assign(request: Request, person: PersonActor, approval_id: str, raw: bytes) -> bytes:
    gateway = gateway_of(request)
    whom = ruling.read_assignment(raw, gateway.policy.limits, body_limits_of(request).decision_bytes)
    assigning.assign(gateway, person, approval_id, whom)
    return _read(gateway, site_of(request), person, approval_id).value


def _reveal(request: Request, person: PersonActor, approval_id: str, raw: bytes) -> bytes:
    gateway = gateway_of(request)
    pointers = ruling.read_reveal(raw, gateway.policy.limits, body_limits_of(request).decision_bytes)
    seen = revealing.reveal(gateway, person, approval_id, pointers, channel="api")
    named = {"values": seen.values, "modified_values": seen.modified_values}
    return dump({name: {at: spliced(text) for at, text in texts.items()} for name, texts in named.items()})


def _resolve(request: Request, person: PersonActor, approval_id: str, raw: bytes) -> bytes:
    gateway = gateway_of(request)
    body = ruling.read_resolution(raw, gateway.policy.limits, body_limits_of(request).decision_bytes)
    resolutions.resolve(gateway, person, approval_id, body.outcome, result=body.result, note=body.note)
    return _read(gateway, site_of(request), person, approval_id).value
