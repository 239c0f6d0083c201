"""Answers in JSON: exact texts spliced in, and entity tags."""

import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from gateway.usecases.showing import dump, masked, spliced

__all__ = ["dump", "etag_of", "is_known", "json_answer", "masked", "spliced", "tagged_answer"]


def json_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def etag_of(body: bytes) -> str:
    """What changes with any byte of the answer.

    Made of the body and not of a row's number: an approval that is released changes without a write.
    """
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(request: Request, etag: str) -> bool:
    """True when the caller has this version already (RFC 9110, section 13.1.2)."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return "*" in tags or etag in tags


def tagged_answer(request: Request, body: bytes) -> Response:
    """The body with its entity tag, or 304 when the caller has it already."""
    etag = etag_of(body)
    if is_known(request, etag):
        return Response(status_code=304, headers={"ETag": etag})
    return json_answer(body, headers={"ETag": etag})
