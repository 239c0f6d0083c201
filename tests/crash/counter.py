"""The tools' own side: a program that does what it is asked, and writes down each time in a file of its own.

Its arguments say how it behaves: ``records`` (false: it does nothing), ``takes_s`` (seconds between doing it and
answering), ``answers`` (an HTTP status).
"""

import hashlib
import json
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """The tool did something."""

    tool: str
    key: str  #: Idempotency-Key, which is the approval's id
    sha256: str  #: of the arguments, byte for byte
    at_s: float  #: Unix time


def runs(path: Path) -> list[Run]:
    """What the tools have done so far, in order."""
    return [Run(**json.loads(line)) for line in path.read_text().splitlines()]


def counted(path: Path) -> Counter[str]:
    """How often each key was run."""
    return Counter(run.key for run in runs(path))


def main() -> None:
    """Serves at the port and writes into the file that the arguments name."""
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    path.touch()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(path))
    server.serve_forever()


def _handler(path: Path) -> type[BaseHTTPRequestHandler]:
    writing = threading.Lock()

    def write(run: dict[str, Any]) -> None:
        with writing, path.open("a") as file:
            file.write(json.dumps(run) + "\n")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(body)
            if asked.get("records", True):
                sha256 = hashlib.sha256(body).hexdigest()
                key = self.headers["Idempotency-Key"]
                write({"tool": self.path.removeprefix("/"), "key": key, "sha256": sha256, "at_s": time.time()})
            time.sleep(asked.get("takes_s", 0))
            # Whoever asked may be dead.
            with suppress(OSError):
                self._answer(asked.get("answers", 200))

        def do_GET(self) -> None:
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"done")

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
