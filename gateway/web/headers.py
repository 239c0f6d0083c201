"""Security headers on every answer, errors too.

Plain ASGI: it touches nothing but the headers, so it costs little and streams stay streams.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Where the pages' style sheets, scripts and icons are; what stands there may be kept by browsers.
STATIC_PATH = "/static"

ON_EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
#: For answers that are not pages; pages set a policy of their own.
API_POLICY = "default-src 'none'; frame-ancestors 'none'"


class SecurityHeaders:
    """Middleware that completes the headers of each answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_static = scope["path"].startswith(f"{STATIC_PATH}/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                complete(MutableHeaders(scope=message), is_static=is_static)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def complete(headers: MutableHeaders, *, is_static: bool) -> None:
    """The headers have what every answer has; a policy that is set already stays."""
    for name, value in ON_EVERY_ANSWER.items():
        headers[name] = value
    headers.setdefault("Content-Security-Policy", API_POLICY)
    if not is_static:
        headers["Cache-Control"] = "no-store"
