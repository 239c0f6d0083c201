"""``countersign serve``, and what the demo shares with it: listening, starting, saying so, and ending in order."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any, Protocol

import typer
import uvicorn

from gateway.app import create_app
from gateway.cli.lock import only_process
from gateway.cli.memory import settle_memory
from gateway.cli.opening import begin, find_local_modules
from gateway.cli.stopping import StopRequest, leave_running_calls, stop_request
from gateway.errors import InvalidSetting
from gateway.web.address import Site, is_loopback

BACKLOG = 2048
# Streams and held requests end by themselves when the process closes; this is for those that do not.
GRACE_S = 3

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (recognised, not bound)


class Application(Protocol):
    """What serving needs of the web framework's application."""

    state: Any
    router: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


def run_serve(host: str, port: int, *, with_worker: bool) -> None:
    """Serves until SIGTERM or Ctrl-C; the address is printed once requests are answered.

    Raises: InvalidSetting, InvalidTool, DatabaseUnavailable, SchemaOutdated.
    """
    settings = begin()
    find_local_modules()
    with closing(listen(host, port)) as listener:
        address = address_of(listener)
        warn_of_plain_http(host, Site(settings.public_url or address, settings.allow_http))
        app = create_app(settings, base_url=address, with_worker=with_worker)
        with only_process(app.state.gateway.database):
            serve_app(app, listener, on_ready=lambda: _say_ready(address, settings.public_url))
    leave_running_calls()


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; they wait until the server answers them. Raises: InvalidSetting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} at {host} is taken: end the program that uses it, or choose another with --port."
            raise InvalidSetting(reason) from error
        raise InvalidSetting(f"Cannot listen at {host}, port {port}: {error.strerror or error}.") from error


def address_of(listener: socket.socket) -> str:
    """Where this machine's browsers reach the socket."""
    host, port = listener.getsockname()[:2]
    host = _EVERY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def warn_of_plain_http(host: str, site: Site) -> None:
    """Says so when nobody can sign in, or only over a connection that anybody on the way can read."""
    if refusal := site.refusal_of_sign_in(site.host):
        typer.echo(f"Warning: {site.public_url}: {refusal}", err=True)
    elif not is_loopback(host) and not site.is_secure:
        typer.echo(
            f"Warning: listening at {host} with the plain-http address {site.public_url}: put a TLS proxy in front "
            "and give its https address in COUNTERSIGN_PUBLIC_URL.",
            err=True,
        )


def serve_app(app: Application, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serves until SIGTERM or Ctrl-C; ``on_ready`` is called once requests are answered. Raises: what starting does."""
    config = uvicorn.Config(
        app,
        lifespan="off",  # entered below, where an error of the start reaches the caller
        ws="none",
        log_config=None,
        access_log=logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO),
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, on_ready, app.state.closing.begin)
    with stop_request() as stop, asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(app, server, listener, stop))


async def _serve(app: Application, server: uvicorn.Server, listener: socket.socket, stop: StopRequest) -> None:
    async with app.router.lifespan_context(app):
        if not stop.has_come:
            await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it is ready and when it begins to end."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_closing = on_closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_memory()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_closing()
        await super().shutdown(sockets)


def _say_ready(address: str, public_url: str | None) -> None:
    typer.echo(f"Countersign is ready at {address}" + (f", for browsers at {public_url}" if public_url else ""))
