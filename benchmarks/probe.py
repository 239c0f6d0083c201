"""A tool over HTTP that notes when it was called, and how often for the same approval."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TOOL = """
[[tool]]
name = "probe"
kind = "http"
url = "{url}"
description = "Notes when it was called."
parameters = {{ type = "object", properties = {{}} }}
expires_after_s = 8640000
"""


class Probe:
    """The calls so far, by approval."""

    def __init__(self) -> None:
        self.url = ""
        self.began_s: dict[str, float] = {}  #: perf_counter at the last call
        self.calls: Counter[str] = Counter()

    def tools_file(self) -> str:
        """What tools.toml says of it."""
        return _TOOL.format(url=self.url)


@contextlib.contextmanager
def probing() -> Iterator[Probe]:
    """The tool answers while the block runs."""
    probe = Probe()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            key = self.headers["Idempotency-Key"]
            probe.began_s[key] = time.perf_counter()
            probe.calls[key] += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    probe.url = f"http://127.0.0.1:{server.server_port}/probe"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield probe
    finally:
        server.shutdown()
        server.server_close()
