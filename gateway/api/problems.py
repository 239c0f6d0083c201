"""From a refusal to its HTTP answer: the only place that knows statuses.

Source: RFC 9457 (application/problem+json).
"""

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway import errors
from gateway.api import cheqpoint
from gateway.domain import json_pointer
from gateway.errors import GatewayError
from gateway.web.state import error_page_of

MEDIA_TYPE = "application/problem+json"

STATUS_OF: dict[type[GatewayError], int] = {
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Unauthenticated: 401,
    errors.BadSignIn: 401,
    errors.TooManySignIns: 429,
    errors.NotAllowed: 403,
    errors.OwnRequest: 403,
    errors.CrossSite: 403,
    errors.InvalidRequest: 422,
    errors.InvalidJson: 422,
    errors.TooLarge: 422,
    errors.BodyTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.NotAvailable: 422,
    errors.UnknownTool: 422,
    errors.CallbackRefused: 422,
    errors.IdempotencyKeyReused: 422,
    errors.JobFinished: 409,
    errors.AlreadyDecided: 409,
    errors.StaleDetails: 409,
    errors.ToolChanged: 409,
    errors.Expired: 410,
    errors.InvalidDetails: 422,
    errors.NoteRequired: 422,
    errors.NotUndoable: 409,
    errors.NotInDoubt: 409,
    errors.DeliveryPending: 409,
    errors.DeliveryDropped: 409,
    errors.InternalError: 500,
    errors.DatabaseUnavailable: 503,
    errors.WorkerStopped: 503,
    errors.SchemaOutdated: 503,
}

_HEADERS_OF: dict[type[GatewayError], dict[str, str]] = {
    errors.Unauthenticated: {"WWW-Authenticate": 'Bearer realm="countersign"'},
    errors.DatabaseUnavailable: {"Retry-After": "1"},
}

#: What the framework itself refuses, in our words.
_OURS: dict[int, type[GatewayError]] = {
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.BodyTooLarge,
    415: errors.UnsupportedMediaType,
}

_log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Every refusal of the app's routes, and of the framework, is a problem document or one of the pages."""
    app.add_exception_handler(GatewayError, _refused)
    app.add_exception_handler(HTTPException, _refused_by_framework)
    app.add_exception_handler(RequestValidationError, _not_valid)


def status_of(error: GatewayError) -> int:
    """The status of a refusal. One that is in no table is a fault of ours: 500."""
    for kind in type(error).__mro__:
        if kind in STATUS_OF:
            return STATUS_OF[kind]
    return 500


def answer(request: Request, error: GatewayError, status: int | None = None) -> Response:
    """The refusal as a page if a person asked for one, else as a problem document."""
    status = status or status_of(error)
    if status >= 500:
        _log.error("request failed", extra={"event": "request.failed", "code": error.code, "path": request.url.path})
    response = _shaped(request, error, status)
    for name, value in _HEADERS_OF.get(type(error), {}).items():
        response.headers[name] = value
    return response


def _shaped(request: Request, error: GatewayError, status: int) -> Response:
    if request.url.path.startswith(cheqpoint.PATHS):
        # Its clients make an exception's message of this member.
        body = json.dumps({"error": error.message}, ensure_ascii=False)
        return Response(body.encode("utf-8", "backslashreplace"), status, media_type="application/json")
    page = error_page_of(request)
    return page(request, error, status) if page and is_for_people(request) else _problem(error, status)


def is_for_people(request: Request) -> bool:
    """True for the pages' routes: all that is not the API's."""
    return not request.url.path.startswith(_API_PATHS)


def document(error: GatewayError, status: int) -> dict[str, Any]:
    """The problem document: RFC 9457's members, our stable ``code``, and the facts of this refusal."""
    title = " ".join((type(error).__doc__ or "").split())
    members = {
        "type": f"urn:countersign:problem:{error.code}",
        "title": title,
        "status": status,
        "detail": error.message,
        "code": error.code,
    }
    return members | {name: value for name, value in error.facts.items() if name not in members}


_API_PATHS = ("/api/", "/v1/", "/openapi.json", "/docs", "/healthz", "/readyz", "/metrics")


def _problem(error: GatewayError, status: int) -> Response:
    # json, not orjson: facts may quote a tool's schema, and its numbers have any size.
    body = json.dumps(document(error, status), ensure_ascii=False, default=str)
    return Response(body.encode("utf-8", "backslashreplace"), status, media_type=MEDIA_TYPE)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, GatewayError):
        raise error
    return answer(request, error)


async def _refused_by_framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 304 or error.status_code < 200:
        return Response(status_code=error.status_code, headers=error.headers)
    kind = _OURS.get(error.status_code)
    if kind is not None:
        response = answer(request, kind())
    else:
        phrase = HTTPStatus(error.status_code).phrase
        response = answer(request, errors.InvalidRequest(f"{phrase}: {error.detail}"), error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _not_valid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    places = [_place(entry) for entry in error.errors()]
    named = next(iter(places))
    message = f"{named.get('parameter') or named.get('pointer') or 'The request'}: {named['message']}."
    return answer(request, errors.InvalidRequest(message, errors=places))


def _place(entry: dict[str, Any]) -> dict[str, str]:
    where, *path = entry["loc"]
    message = str(entry["msg"]).removeprefix("Value error, ").rstrip(".")
    if entry["type"] == "extra_forbidden":
        message = "this parameter is not known here"
    if where == "body":
        return {"pointer": json_pointer.from_path(path), "message": message}
    return {"parameter": str(path[0]) if path else str(where), "message": message}
