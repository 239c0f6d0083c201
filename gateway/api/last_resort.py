"""Answering what nobody foresaw: logged whole, told without a word about the inside."""

import logging

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problems
from gateway.errors import InternalError

_log = logging.getLogger(__name__)


class LastResort:
    """Middleware around all routes. An answer that has begun is cut off instead: half of it must not look whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception:
            _log.exception("unforeseen failure", extra={"event": "request.crashed", "path": scope["path"]})
            if has_begun:
                raise
            await problems.answer(Request(scope, receive), InternalError())(scope, receive, send)
