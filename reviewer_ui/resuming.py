"""A sign-in that ends while somebody types: after signing in again the review page has what they typed.

It travels in hidden fields of the form to sign in with, between our own pages
alone: never in an address, and nothing of it is stored.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.permission import PersonActor
from gateway.errors import Unauthenticated
from gateway.usecases import accounts
from gateway.web.state import gateway_of
from reviewer_ui.access import deciding, sign_in_form, sign_in_secret, with_cookie
from reviewer_ui.addresses import FromAddress
from reviewer_ui.forms import typed_fields, typed_of
from reviewer_ui.inbox_search import Search
from reviewer_ui.posting import PostedForm
from reviewer_ui.rendering import refuse
from reviewer_ui.review_page import review_page

HAS_ENDED = "Your sign-in has ended, and nothing was done. What you typed is kept: sign in to go on."

router = APIRouter(include_in_schema=False)


async def deciding_or_kept(request: Request, form: PostedForm, approval_id: FromAddress) -> PersonActor:
    """A person who may decide. Raises: NotAllowed; Unauthenticated, shown as a form that keeps what was typed."""
    try:
        return await deciding(request)
    except Unauthenticated as error:
        refuse(request, error, sign_in_form(request, _address(approval_id), typed_fields(form), error=HAS_ENDED))


TypingDecider = Annotated[PersonActor, Depends(deciding_or_kept)]


@router.post("/approvals/{approval_id}/sign-in")
def sign_in_again(request: Request, form: PostedForm, approval_id: FromAddress) -> Response:
    """The browser is signed in and has the review page as it was left. Raises: as ``sign_in_secret``; NotFound."""
    secret = sign_in_secret(request, form, _address(approval_id), typed_fields(form))
    person = accounts.signed_in(gateway_of(request), secret)
    if person is None:
        raise Unauthenticated
    request.state.person = person
    shown = review_page(request, person, approval_id, Search(), typed=typed_of(form), is_resumed=True)
    return with_cookie(request, shown, secret)


def _address(approval_id: str) -> str:
    return f"/approvals/{quote(approval_id, safe='')}/sign-in"
