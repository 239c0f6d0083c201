"""B2: from a decision to the waiter that it releases, and to the tool that it starts."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.installation import Installation, installation, scripted_model, serving
from benchmarks.report import spread

COUNT, WARM_UP = 150, 10
SCRIPT = Path(__file__).with_name("refunds.toml")
TARGET = {"waiter_p50_ms": 10}

_TOOL = """
[[tool]]
name = "probe"
kind = "http"
url = "{url}"
description = "Notes when it was called."
parameters = {{ type = "object", properties = {{}} }}
"""


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with (
        _probe() as probe,
        installation(database_url, folder) as ready,
        scripted_model(ready, SCRIPT),
    ):
        (folder / "tools.toml").write_text(_TOOL.format(url=probe.url))
        if database_url.startswith("sqlite"):
            with serving(ready):
                yield from _figures(ready, probe, "one process")
            return
        with serving(ready):
            yield from _figures(ready, probe, "one process")
        with serving(ready, "--no-worker"), ready.running("worker"):
            yield from _figures(ready, probe, "two processes")


class _Probe:
    """A tool that notes when each call of it came in, by approval."""

    def __init__(self) -> None:
        self.url = ""
        self.began_s: dict[str, float] = {}


def _figures(ready: Installation, probe: _Probe, processes: str) -> Iterator[dict[str, Any]]:
    waiters_s, tools_s = [], []
    with (
        _client(ready, ready.app_key) as app,
        _client(ready, ready.token) as person,
        ThreadPoolExecutor(1) as pool,
    ):
        for number in range(WARM_UP + COUNT):
            waiter_s, tool_s = _once(app, person, pool, probe)
            if number >= WARM_UP:
                waiters_s.append(waiter_s)
                tools_s.append(tool_s)
            # Decisions come at moments of their own, not one behind the other.
            time.sleep(0.03)
    facts = {"count": COUNT, "processes": processes}
    yield {"name": "decision to held waiter", **spread(waiters_s), **facts, "target": TARGET}
    yield {"name": "decision to tool start", **spread(tools_s), **facts}


def _once(app: httpx2.Client, person: httpx2.Client, pool: ThreadPoolExecutor, probe: _Probe) -> tuple[float, float]:
    """Seconds from sending the decision until the waiter has its answer, and until the tool is called."""
    job = app.post("/api/v1/jobs", json={"input": "one call"}).json()
    approval = _pending(person, job["id"])
    path = f"/api/v1/approvals/{approval['id']}"
    held = pool.submit(_wait, app, path)
    time.sleep(0.02)
    decision = {"verdict": "approve", "details_sha256": approval["details_sha256"]}
    began_s = time.perf_counter()
    person.post(f"{path}/decision", json=decision).raise_for_status()
    released_s = held.result() - began_s
    app.get(f"/api/v1/jobs/{job['id']}", params={"wait": 20}).raise_for_status()
    return released_s, probe.began_s[approval["id"]] - began_s


def _wait(app: httpx2.Client, path: str) -> float:
    app.get(path, params={"wait": 20}).raise_for_status()
    return time.perf_counter()


def _pending(person: httpx2.Client, job_id: str) -> dict[str, Any]:
    while True:
        found = person.get("/api/v1/approvals", params={"job_id": job_id, "status": "pending"}).json()["items"]
        if found:
            first: dict[str, Any] = found[0]
            return first
        time.sleep(0.005)


def _client(ready: Installation, secret: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx2.Client(base_url=ready.url, headers=headers, timeout=30, trust_env=False)


@contextlib.contextmanager
def _probe() -> Iterator[_Probe]:
    probe = _Probe()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            probe.began_s[self.headers["Idempotency-Key"]] = time.perf_counter()
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
