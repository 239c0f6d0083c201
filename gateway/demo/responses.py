"""A scripted turn as an HTTP answer, good, bad or broken off."""

import uuid
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.demo import answers, refusals
from gateway.demo.answers import Answer
from gateway.demo.script import Turn


def response(turn: Turn, answer: Answer, *, is_streamed: bool) -> Response:
    """The HTTP answer for a turn: its error, or ``answer`` whole, streamed or cut short."""
    headers = {"mistral-correlation-id": str(uuid.uuid4())} | turn.headers
    if turn.status is not None:
        return _scripted_error(turn, turn.status, headers)
    if is_streamed:
        return _stream(turn, answer, headers)
    if turn.cut:
        return _CutShort(answers.encode(answers.completion(answer)), headers=headers, media_type="application/json")
    return json_response(answers.completion(answer), headers=headers)


def json_response(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON body of any content; Starlette's own class fails on lone surrogates, which a request may have held."""
    return Response(answers.encode(body), status_code=status, headers=headers, media_type="application/json")


def _scripted_error(turn: Turn, status: int, headers: dict[str, str]) -> Response:
    body = refusals.by_status(status).body if turn.body is None else turn.body
    if isinstance(body, str):
        return Response(body, status_code=status, headers=headers, media_type="text/plain")
    return json_response(body, status=status, headers=headers)


def _stream(turn: Turn, answer: Answer, headers: dict[str, str]) -> Response:
    events = answers.events(answer)
    if turn.cut is True:
        return _CutShort(b"".join(events), headers=headers, media_type="text/event-stream")
    parts = events[:-1] if turn.cut else [*events, answers.DONE]
    return StreamingResponse(iter(parts), headers=headers, media_type="text/event-stream")


class _CutShort(Response):
    """Sends the first half of its body, then nothing: the server closes the connection on an unfinished answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
