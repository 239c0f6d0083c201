import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.tools.base import CallContext

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ToolServer:
    """A tool's server on loopback: keeps what it receives, gives its answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = []
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/tools/refund"

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Next: an ordinary answer; header names with ``_`` for ``-``."""

        def send(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            request.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            request.end_headers()
            request.wfile.write(body)

        self.answers.append(send)

    def answer_json(self, body: bytes) -> None:
        self.answer(200, body, Content_Type="application/json; charset=utf-8")

    def break_off(self, first: bytes = b"") -> None:
        """Next: these raw bytes, then a reset."""

        def reset(request: BaseHTTPRequestHandler) -> None:
            if first:
                request.wfile.write(first)
                request.wfile.flush()
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()

        self.answers.append(reset)

    def hang(self) -> None:
        """Next: no answer."""
        self.answers.append(lambda request: void(self.closing.wait(30)))

    def drip(self) -> None:
        """Next: one byte of an answer at a time, each within every read time-out."""

        def send(request: BaseHTTPRequestHandler) -> None:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not self.closing.wait(0.05):
                request.wfile.write(b".")

        self.answers.append(send)

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                server.received.append(Received(self.command, self.path, dict(self.headers.items()), body))
                answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                answer(self)

            do_PUT = do_DELETE = do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Keep the test output quiet."""

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    self.close_connection = True

        return Handler


def void(_: object) -> None:
    return None


@pytest.fixture
def server() -> Iterator[ToolServer]:
    server = ToolServer()
    yield server
    server.close()


@pytest.fixture
def refused_url() -> Iterator[str]:
    """An address at which nothing listens: the port is held, so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/"


@pytest.fixture
def call() -> Callable[..., CallContext]:
    """Makes the context of a call with these exact arguments."""

    def make(
        arguments_json: str = "{}", *, job_id: str | None = "job_1", start_by_s: float | None = None
    ) -> CallContext:
        return CallContext(
            arguments_json=arguments_json,
            approval_id="apr_1",
            job_id=job_id,
            idempotency_key="apr_1",
            attempt=1,
            start_by_s=start_by_s,
        )

    return make
