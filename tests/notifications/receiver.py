"""A receiver of webhooks on this machine, which keeps what it is sent and answers as it is told to."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, or what is done in its place."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_s: float = 0.0
    is_reset: bool = False  #: the connection is reset instead
    drips_s: float = 0.0  #: between any two bytes of the body


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]  #: names in lower case
    body: str
    at_s: float  #: monotonic


@dataclass
class Receiver:
    """``replies`` are given one after the other, the last one again and again."""

    port: int
    replies: list[Reply]
    received: list[Received] = field(default_factory=list)
    open_requests: int = 0
    most_open: int = 0  #: at one time
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextlib.contextmanager
def receiving(*replies: Reply, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver at a free port, or at this one, until the block ends."""
    with _Server(("127.0.0.1", port), list(replies or (Reply(),))) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.receiver
        finally:
            server.receiver.ended.set()
            server.shutdown()
            thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, place: tuple[str, int], replies: list[Reply]) -> None:
        super().__init__(place, _Handler)
        self.receiver = Receiver(self.server_port, replies)
        self.lock = threading.Lock()

    def handle_error(self, *_: object) -> None:
        """A sender that has left is none."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            receiver.received.append(Received(self.path, headers, body, time.monotonic()))
            receiver.open_requests += 1
            receiver.most_open = max(receiver.most_open, receiver.open_requests)
            reply = receiver.replies.pop(0) if len(receiver.replies) > 1 else receiver.replies[0]
        try:
            self._answer(reply, receiver.ended)
        finally:
            with self.server.lock:
                receiver.open_requests -= 1

    do_GET = do_POST

    def _answer(self, reply: Reply, ended: threading.Event) -> None:
        ended.wait(reply.delay_s)
        if reply.is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        self.send_response(reply.status)
        for name, value in (*reply.headers, ("Content-Length", str(len(reply.body)))):
            self.send_header(name, value)
        self.end_headers()
        if not reply.drips_s:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            self.wfile.write(bytes([byte]))
            if ended.wait(reply.drips_s):
                return

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""
