"""Refusals and failures as pages: the same layout, one sentence, and a way on."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError, Unauthenticated
from reviewer_ui.access import sign_in_address
from reviewer_ui.rendering import page, prepared_refusal, see_other

_HEADINGS = {
    401: "You are not signed in",
    403: "That is not allowed",
    404: "There is nothing here",
    405: "That is not possible here",
    409: "That is not possible any more",
    410: "The time for this has passed",
    413: "That is too large",
    422: "Something does not fit",
    429: "Too many tries",
    500: "Something failed here",
    503: "The gateway cannot answer just now",
}


def page_for(request: Request, error: GatewayError, status: int) -> Response:
    """The refusal as a page: the one that the route prepared, else one of its own.

    Whoever is not signed in is led to the form and back.
    """
    prepared = prepared_refusal(request)
    if prepared is not None:
        prepared.status_code = status
        return prepared
    if isinstance(error, Unauthenticated):
        return see_other(sign_in_address(request))
    heading = _HEADINGS.get(status, "That was not possible")
    return page(request, "error.html", status, heading=heading, message=error.message)
