"""The review page: one call, whole; what somebody typed, and what was refused beside it."""

import json
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain import secret_places
from gateway.domain.permission import PersonActor, may_decide
from gateway.errors import GatewayError, StaleDetails, ToolChanged
from gateway.store import decisions
from gateway.usecases.gateway import Gateway
from gateway.web.state import gateway_of
from reviewer_ui.access import Person
from reviewer_ui.addresses import FromAddress
from reviewer_ui.assignment import read_assignment
from reviewer_ui.difference import Line, difference
from reviewer_ui.editing import editor
from reviewer_ui.editing.carrying import Carried, carry
from reviewer_ui.forms import Typed, place_of
from reviewer_ui.inbox import SearchQuery, read_just_decided
from reviewer_ui.inbox_list import read_list
from reviewer_ui.inbox_search import Search
from reviewer_ui.reasons import REASONS
from reviewer_ui.rendering import page, see_other
from reviewer_ui.review import Review, find_call, is_me, read_review
from reviewer_ui.taken_back import taken_back

router = APIRouter(include_in_schema=False)


@router.get("/approvals/{approval_id}")
def show(
    request: Request, person: Person, approval_id: FromAddress, search: SearchQuery, decided: FromAddress | None = None
) -> Response:
    """The review page; ``decided`` is the call that was decided just before. Raises: NotFound."""
    return review_page(request, person, approval_id, search, decided=decided)


@router.get("/approvals/{approval_id}/standing")
def show_standing(request: Request, person: Person, approval_id: FromAddress, seen: int = 0) -> Response:
    """What happened to the call since its version ``seen``; 204 if nothing did. Raises: NotFound."""
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        approval = find_call(session, approval_id)
        if approval.version == seen:
            return Response(status_code=204)
        last = decisions.last_ruling(session, approval_id)
        assignment = read_assignment(session, approval, person)
    return page(
        request,
        "_standing.html",
        approval=approval,
        assignment=assignment,
        last=last,
        is_me=is_me(last, person),
        seen=seen,
        now=now,
    )


@router.get("/approvals/{approval_id}/decision")
@router.get("/approvals/{approval_id}/resolution")
@router.get("/approvals/{approval_id}/undo")
@router.get("/approvals/{approval_id}/sign-in")
@router.get("/approvals/{approval_id}/extend")
@router.get("/approvals/{approval_id}/assignment")
@router.get("/approvals/{approval_id}/edit")
@router.get("/approvals/{approval_id}/reveal")
def show_again(_person: Person, approval_id: FromAddress, search: SearchQuery) -> Response:
    """A form's address, opened as a page: its answer was shown there."""
    return see_other(search.address(f"/approvals/{approval_id}"))


def review_page(
    request: Request,
    person: PersonActor,
    approval_id: str,
    search: Search,
    *,
    typed: Typed | None = None,
    error: GatewayError | None = None,
    is_resumed: bool = False,
    revealed: str | None = None,
    decided: str | None = None,
) -> Response:
    """The page, with what somebody typed kept and what was refused said beside it. Raises: NotFound.

    ``is_resumed``: the person had to sign in again in the middle of it. ``revealed``: the pointer of a secret
    that is shown this once.
    """
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        review = read_review(session, gateway, person, approval_id, revealed)
        listed = read_list(session, person, review.now, search)
        just_decided = read_just_decided(session, decided, review.now)
    again = None
    if typed is None or not may_decide(person.role):  # whoever may decide nothing has no form to type in
        view = request.query_params.get("view", "form")
        again = _taken_back(request, review, person, gateway, view)
        typed = again or Typed(view=view)
    carried = _carried(review, typed, gateway)
    if carried is not None:
        error = error or StaleDetails(details_sha256=review.approval.details_sha256)
    unread = typed.edit if carried is not None and not carried.is_readable else None
    if carried is not None:
        typed = replace(typed, arguments=carried.typed.fields, modified_details=carried.typed.json_text)
    return page(
        request,
        "review.html",
        review=review,
        approval=review.approval,
        listed=listed,
        open_id=approval_id,
        just_decided=just_decided,
        reasons=REASONS,
        decided_by_me=bool(review.decided) and is_me(review.decided[-1][0], person),
        typed=typed,
        editing=_editing(gateway, review, typed, error, revealed),
        error=error,
        error_place=place_of(error),
        is_resumed=is_resumed,
        is_taken_back=again is not None,
        tool_difference=_tool_difference(error),
        carried=carried,
        unread_text=editor.plain_text(unread) if unread is not None else "",
        now=review.now,
    )


def _taken_back(request: Request, review: Review, person: PersonActor, gateway: Gateway, view: str) -> Typed | None:
    if review.why_not is not None or request.query_params.get("edits") == "none":
        return None
    decided = [decision for decision, _ in review.decided]
    return taken_back(review.approval, decided, person, gateway.policy.limits, view=view)


def _editing(
    gateway: Gateway, review: Review, typed: Typed, error: GatewayError | None, revealed: str | None
) -> editor.Editor | None:
    """None when there are no arguments that could be edited."""
    approval = review.approval
    is_typed = typed.arguments or typed.modified_details is not None
    if approval.details is None or (review.why_not is not None and not is_typed):
        return None
    try:
        return editor.edit(
            typed.edit, approval.details, approval.schema_text, secret_places.read(approval.secrets),
            gateway.policy.limits, view=typed.view, error=error, revealed=revealed,
        )  # fmt: skip
    except GatewayError:
        return None  # the limits are lower than they were when it was asked


def _tool_difference(error: GatewayError | None) -> list[Line]:
    if not isinstance(error, ToolChanged):
        return []
    return difference(_definition(error.facts.get("before")), _definition(error.facts.get("after")))


def _definition(definition: Any) -> str:
    return json.dumps(definition, ensure_ascii=False, indent=2) if definition else "(not registered)"


def _carried(review: Review, typed: Typed, gateway: Gateway) -> Carried | None:
    """What was typed over other arguments than those that stand here now, as an edit of these; None unless so."""
    approval = review.approval
    if approval.details is None or review.why_not is not None or typed.is_about(approval.details_sha256):
        return None
    secrets = secret_places.read(approval.secrets)
    return carry(typed.edit, typed.seen, approval.details, secrets, gateway.policy.limits)
