"""Reading a request's body as the bytes it is, up to a limit."""

import re

from starlette.requests import Request

from gateway.errors import BodyTooLarge, UnsupportedMediaType

_JSON_MEDIA_TYPE = re.compile(r"application/(?:json|[^/]+\+json)")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises: BodyTooLarge as soon as it is longer than ``max_bytes``."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


async def read_json_body(request: Request, max_bytes: int) -> bytes:
    """The whole body, said to be JSON. Raises: UnsupportedMediaType; BodyTooLarge.

    Browsers send no JSON content type across sites without asking first.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON_MEDIA_TYPE.fullmatch(media_type):
        raise UnsupportedMediaType
    return await read_body(request, max_bytes)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {max_bytes} bytes that this route takes.", max_bytes=max_bytes)
