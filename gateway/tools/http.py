"""Tools behind an HTTP address: the approved text goes out byte for byte, and every ending is told apart."""

import json
import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Literal

import httpx2

from gateway.errors import GatewayError
from gateway.tools.base import HELD_UP, CallContext, Failed, InDoubt, Outcome, Ran, ToolDefinition
from gateway.tools.deadline import finish_within
from gateway.tools.headers import NoHeaderValue, missing_values, resolve_headers
from gateway.tools.response import outcome_of
from gateway.tools.results import short

Payload = Literal["envelope", "arguments"]
METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
CONNECT_TIMEOUT_S: Final = 10.0
#: Waits before the repeated attempts of an idempotent tool, in seconds.
REPEAT_AFTER_S: Final = (0.25, 1.0)


def new_client() -> httpx2.Client:
    """A client that obeys no environment, follows no redirect, and carries nothing from one call to the next."""
    return httpx2.Client(
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": "countersign", "Accept-Encoding": "identity"},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        # A kept connection that the server has just closed fails after sending: a doubt without need.
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


class HttpTool:
    """A tool that is called by one HTTP request. ``client`` gives the client at call time."""

    def __init__(
        self,
        definition: ToolDefinition,
        *,
        method: str,
        url: str,
        payload: Payload,
        headers: Mapping[str, str],
        client: Callable[[], httpx2.Client],
    ) -> None:
        """``headers`` maps names to ``env:NAME`` or ``file:PATH``; the values are looked up at each call."""
        self.definition = definition
        self._method = method
        self._url = url
        self._payload: Payload = payload
        self._headers = dict(headers)
        self._client = client
        self._connect_timeout_s = min(definition.timeout_s, CONNECT_TIMEOUT_S)

    def run(self, context: CallContext) -> Outcome:
        """Send the request; an idempotent tool's call in doubt is repeated twice with the same key."""
        try:
            headers = resolve_headers(self._headers) | _own_headers(context)
            context.arguments()  # text that is no JSON could write its own members into the envelope
        except NoHeaderValue as error:
            return Failed(f"{error} The call did not run.")
        except GatewayError as error:
            return Failed(f"{error.message} The call did not run.")
        body = envelope(self.definition.name, context) if self._payload == "envelope" else context.arguments_json
        return self._settle(lambda: self._send(context, headers, body.encode()))

    def missing_header_values(self) -> list[str]:
        """Why calls would not run now: one sentence for each header without a value."""
        return missing_values(self._headers)

    def _settle(self, send: Callable[[], Outcome]) -> Outcome:
        """The outcome after all attempts.

        Once in doubt, only a success settles it: a refusal of the second attempt (a 404 to a repeated DELETE, say)
        does not tell that the first one did nothing.
        """
        limit_s = self._connect_timeout_s + self.definition.timeout_s
        first = finish_within(limit_s, send)
        if not isinstance(first, InDoubt) or not self.definition.idempotent:
            return first
        for wait_s in REPEAT_AFTER_S:
            time.sleep(wait_s)
            again = finish_within(limit_s, send)
            if isinstance(again, Ran):
                return again
            if again is HELD_UP:
                return first
        return InDoubt(f"{first.reason} {len(REPEAT_AFTER_S)} more attempts with the same key did not settle it.")

    def _send(self, context: CallContext, headers: dict[str, bytes], body: bytes) -> Outcome:
        progress = _Progress(context)
        try:
            with self._client().stream(
                self._method,
                self._url,
                content=body,
                headers=[(name.encode(), value) for name, value in headers.items()],
                timeout=httpx2.Timeout(self.definition.timeout_s, connect=self._connect_timeout_s),
                extensions={"trace": progress.note},
            ) as response:
                return outcome_of(response, secrets=[headers[name].decode() for name in self._headers])
        except Exception as error:  # whatever it is, only one question counts: was anything sent?
            return progress.outcome(error)


def envelope(name: str, context: CallContext) -> str:
    """The request's body with the approved text spliced in, character for character."""
    return (
        f'{{"name":{json.dumps(name)},"arguments":{context.arguments_json}'
        f',"approval_id":{json.dumps(context.approval_id)},"job_id":{json.dumps(context.job_id)}'
        f',"idempotency_key":{json.dumps(context.idempotency_key)}}}'
    )


def _own_headers(context: CallContext) -> dict[str, bytes]:
    return {"Content-Type": b"application/json", "Idempotency-Key": context.idempotency_key.encode()}


class _Overdue(Exception):
    """The connection stands, and the call must not be sent over it any more."""


class _Progress:
    """How far a request got, as the connection itself reports it."""

    def __init__(self, context: CallContext) -> None:
        self._context = context
        self._sending = False

    def note(self, event: str, info: dict[str, Any]) -> None:
        """Take one event of httpx2's trace extension. Raises: _Overdue, in the last moment before the first byte."""
        if event.endswith(".send_request_headers.started"):
            if self._context.is_overdue():
                raise _Overdue
            self._sending = True

    def outcome(self, error: Exception) -> Outcome:
        """The ending of a request that got no whole answer; past the connection an error's text may quote a header."""
        if isinstance(error, _Overdue):
            return HELD_UP
        if self._sending:
            return InDoubt(f"The request was sent, but no whole answer came ({type(error).__name__}).")
        reason = str(error) if isinstance(error, httpx2.TransportError) and str(error) else type(error).__name__
        return Failed(short(f"The tool's server could not be reached ({reason}); the call did not run."))
