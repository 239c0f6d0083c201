"""What the review page's forms do: decide, undo, give more time, say who looks at it, settle a doubt."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.usecases import approvals, assigning, extending, resolutions
from gateway.web.state import gateway_of
from reviewer_ui import forms
from reviewer_ui.access import Decider
from reviewer_ui.addresses import FromAddress
from reviewer_ui.inbox import SearchQuery
from reviewer_ui.inbox_list import next_to_decide
from reviewer_ui.posting import PostedForm
from reviewer_ui.rendering import refuse, see_other
from reviewer_ui.resuming import TypingDecider
from reviewer_ui.review import find_call
from reviewer_ui.review_page import review_page

router = APIRouter(include_in_schema=False)


@router.post("/approvals/{approval_id}/decision")
def decide(
    request: Request, person: TypingDecider, form: PostedForm, approval_id: FromAddress, search: SearchQuery
) -> Response:
    """The call is decided, and the next one of the list is open. Raises: as ``usecases.approvals.decide``."""
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        shown = find_call(session, approval_id)
    try:
        forms.check_sure(form, shown.risk)
        approvals.decide(gateway, person, approval_id, forms.ruling_of(form, shown, gateway.policy.limits))
    except GatewayError as error:
        refuse(
            request,
            error,
            review_page(request, person, approval_id, search, typed=forms.typed_of(form), error=error),
        )
    with gateway.database.read() as session:
        following = next_to_decide(session, person, gateway.database.now(session), search, shown)
    path = f"/approvals/{following.id}" if following else "/"
    return see_other(search.address(path, decided=approval_id))


@router.post("/approvals/{approval_id}/undo")
def undo(
    request: Request, person: Decider, _form: PostedForm, approval_id: FromAddress, search: SearchQuery
) -> Response:
    """The call waits again. Raises: NotFound; NotUndoable."""
    try:
        approvals.undo(gateway_of(request), person, approval_id, channel=forms.CHANNEL)
    except GatewayError as error:
        refuse(request, error, review_page(request, person, approval_id, search, error=error))
    return see_other(search.address(f"/approvals/{approval_id}"))


@router.post("/approvals/{approval_id}/extend")
def extend(
    request: Request, person: Decider, form: PostedForm, approval_id: FromAddress, search: SearchQuery
) -> Response:
    """The call has more time. Raises: as ``usecases.extending.extend``."""
    try:
        extending.extend(gateway_of(request), person, approval_id, forms.extension_of(form), channel=forms.CHANNEL)
    except GatewayError as error:
        refuse(request, error, review_page(request, person, approval_id, search, error=error))
    return see_other(search.address(f"/approvals/{approval_id}"))


@router.post("/approvals/{approval_id}/assignment")
def assign(
    request: Request, person: Decider, form: PostedForm, approval_id: FromAddress, search: SearchQuery
) -> Response:
    """The call is taken, given to somebody, or given back. Raises: as ``usecases.assigning.assign``."""
    try:
        assigning.assign(gateway_of(request), person, approval_id, forms.assignee_of(form), channel=forms.CHANNEL)
    except GatewayError as error:
        refuse(request, error, review_page(request, person, approval_id, search, error=error))
    return see_other(search.address(f"/approvals/{approval_id}"))


@router.post("/approvals/{approval_id}/resolution")
def resolve(
    request: Request, person: TypingDecider, form: PostedForm, approval_id: FromAddress, search: SearchQuery
) -> Response:
    """The doubt is settled, or the next attempt is queued. Raises: NotFound; NotInDoubt; InvalidRequest."""
    try:
        settled = forms.settlement_of(form)
        resolutions.resolve(
            gateway_of(request),
            person,
            approval_id,
            settled.resolution,
            result=settled.result,
            note=settled.note,
            channel=forms.CHANNEL,
        )
    except GatewayError as error:
        refuse(
            request,
            error,
            review_page(request, person, approval_id, search, typed=forms.typed_of(form), error=error),
        )
    return see_other(search.address(f"/approvals/{approval_id}"))
