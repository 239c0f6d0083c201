"""A relay in front of PostgreSQL that can fail as networks and poolers do: without a word."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import make_url


@dataclass
class Link:
    """One connection of a client, and ours to the server."""

    client: socket.socket
    server: socket.socket
    forgets: tuple[bytes, bytes] | None
    is_dead: bool = False

    def start(self) -> None:
        for source, target in ((self.client, self.server), (self.server, self.client)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.is_dead:
                    target.sendall(data.replace(*self.forgets) if self.forgets else data)


@dataclass
class Relay:
    """``url`` leads to the same database through the relay."""

    url: str
    forgets: tuple[bytes, bytes] | None = None  #: what never arrives, and what does in its place
    links: list[Link] = field(default_factory=list)

    def kill_links(self) -> None:
        """What is sent on the present connections gets nowhere, and nobody is told; new ones are sound."""
        for link in self.links:
            link.is_dead = True


@contextlib.contextmanager
def relaying(database_url: str, *, forgets: tuple[bytes, bytes] | None = None) -> Iterator[Relay]:
    with psycopg.connect(database_url) as connection:
        host, port = connection.info.host, connection.info.port
    listener = socket.create_server(("127.0.0.1", 0))
    url = make_url(database_url).set(host="127.0.0.1", port=listener.getsockname()[1], query={})
    relay = Relay(url.render_as_string(hide_password=False), forgets)
    threading.Thread(target=_accept, args=(listener, relay, host, port), daemon=True).start()
    try:
        yield relay
    finally:
        # Closing alone would not wake the thread that accepts.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for link in relay.links:
            link.close()


def _accept(listener: socket.socket, relay: Relay, host: str, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            link = Link(client, _connect(host, port), relay.forgets)
            relay.links.append(link)
            link.start()


def _connect(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server
