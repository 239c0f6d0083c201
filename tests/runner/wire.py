"""A server that answers every request with exactly the bytes it is told to, or breaks off."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """What is written to the connection before it is closed."""

    raw: bytes
    delay_s: float = 0.0
    is_reset: bool = False  #: the connection is reset instead of closed in order


def reply(
    body: str | bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Reply:
    """A whole answer."""
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    lines = {"Content-Type": content_type, "Content-Length": str(len(content)), **(headers or {})}
    return Reply(_head(status, lines) + content)


def cut_reply(body: str, *, declared: int | None, is_reset: bool = False) -> Reply:
    """An answer that ends too early; without a declared length nothing but its content can tell."""
    lines = {"Content-Type": "application/json"} | ({"Content-Length": str(declared)} if declared else {})
    return Reply(_head(200, lines) + body.encode(), is_reset=is_reset)


@dataclass
class Wire:
    """``url`` without ``/v1``; ``requests`` holds the received bodies, as bytes."""

    url: str
    requests: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def serving(*replies: Reply) -> Iterator[Wire]:
    """The replies are given one after the other, the last one again and again, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}")
    thread = threading.Thread(target=_serve, args=(listener, wire, list(replies)), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        # Closing alone would not wake the thread that accepts.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _serve(listener: socket.socket, wire: Wire, replies: list[Reply]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        given = replies.pop(0) if len(replies) > 1 else replies[0]
        with connection, contextlib.suppress(OSError):
            wire.requests.append(_read_request(connection))
            time.sleep(given.delay_s)
            connection.sendall(given.raw)
            if given.is_reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return body


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode()
