"""What an HTTP answer says about the call behind it."""

import json
from collections.abc import Iterable
from typing import Final

import httpx2

from gateway.domain import json_text
from gateway.errors import GatewayError
from gateway.tools.base import Failed, InDoubt, Outcome, Ran
from gateway.tools.results import MAX_RESULT_BYTES, ran, short, too_large

#: A gateway in between answered: whether the tool behind it did the call, it does not know.
_UNCERTAIN: Final = frozenset({502, 504})
_MAX_ERROR_BYTES: Final = 8 * 1024
#: A shorter header value is no secret, and would be found in numbers and words that have nothing to do with it.
_MIN_SECRET_CHARS: Final = 6
_LIMITS: Final = json_text.Limits(
    max_bytes=MAX_RESULT_BYTES, max_string_bytes=MAX_RESULT_BYTES, max_keys=MAX_RESULT_BYTES
)


def outcome_of(response: httpx2.Response, *, secrets: Iterable[str]) -> Outcome:
    """The outcome for this answer, read as far as needed; ``secrets`` are blotted out of its text.

    2xx ran; 502, 504 and 1xx are in doubt; anything else is an error that the tool's server reported.
    Raises: httpx2.TransportError if a 2xx answer breaks off.
    """
    status = response.status_code
    if response.is_success:
        return _result(response, secrets)
    if status in _UNCERTAIN or status < 200:
        return InDoubt(f"The tool's server answered HTTP {status}: the call may have run.")
    if 300 <= status < 400:
        return Failed(f"HTTP {status}: the tool's server points to another address, which is not followed.")
    return Failed(_error(response, secrets))


def _result(response: httpx2.Response, secrets: Iterable[str]) -> Ran:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_RESULT_BYTES:
            return too_large()
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    text = _decoded(body, response.charset_encoding or "utf-8")
    if text is None:
        kind = media_type or "unknown type"
        return Ran(f"The call ran. Its result, {len(body)} bytes of {kind}, is not text and was not kept.")
    if media_type == "application/json" or media_type.endswith("+json"):
        text = _compact(text)
    return ran(_blotted(text, secrets))


def _decoded(body: bytearray, charset: str) -> str | None:
    """The body's text; None for bytes that are none. A charset that nobody knows leaves a whole answer: it ran."""
    try:
        return body.decode(charset)
    except UnicodeDecodeError:
        return None
    except (LookupError, UnicodeError):  # Python knows a codec "undefined", which always fails
        return body.decode(errors="replace")


def _compact(text: str) -> str:
    """JSON without blanks, its numbers as they were written; text that is not strict JSON stays as it is."""
    try:
        return json_text.dump_literal(json_text.parse_literal(text, _LIMITS))
    except GatewayError:
        return text


def _error(response: httpx2.Response, secrets: Iterable[str]) -> str:
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MAX_ERROR_BYTES:
                break
    except httpx2.HTTPError:
        pass  # the status has said it; the text is only an addition
    text = body[:_MAX_ERROR_BYTES].decode(errors="replace").strip()
    text = _blotted(text, secrets)
    return short(f"HTTP {response.status_code}: {text}" if text else f"HTTP {response.status_code}")


def _blotted(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, also as JSON writes them; the longest first, for one may begin with another."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _MIN_SECRET_CHARS:
            for written in (secret, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(secret)[1:-1]):
                text = text.replace(written, "••••")
    return text
