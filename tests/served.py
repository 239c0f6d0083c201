"""The real application behind a real server, in a thread of the test."""

import socket
import threading
import time
from dataclasses import dataclass

import uvicorn

from gateway.app import assemble
from gateway.usecases.gateway import Gateway
from gateway.web.address import Site
from gateway.web.state import BodyLimits

START_S = 20.0


@dataclass
class Served:
    """A running server on a port of its own, which can be stopped and started again there."""

    gateway: Gateway
    url: str = ""
    _port: int = 0
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        app = assemble(self.gateway, Site(self.url), BodyLimits())
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1)
        self._app = app
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        end = time.monotonic() + START_S
        while not self._server.started:
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._app.state.closing.begin()
        self._server.should_exit = True
        self._thread.join(START_S)
        self._app.state.submissions.stop()
        self._app.state.readers.shutdown()
