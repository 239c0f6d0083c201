"""The unmodified Cheqpoint SDK against the gateway: from the decision to its return, and what those who wait cost."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from cheqpoint import CheqpointClient

from benchmarks.installation import Installation, installation, serving
from benchmarks.report import spread

COUNT = 40
CLIENTS, SETTLE_S, MEASURED_S = 1000, 150.0, 60.0
ASKED = {"action": "refund", "summary": "Refund an order", "details": {"order_id": "W1", "amount": 249.0}}
TARGET = {"request_sync_p50_ms": 50, "waiting_clients_cpu_percent": 10}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with installation(database_url, folder) as ready, serving(ready):
        client = CheqpointClient(api_key=ready.app_key, base_url=ready.url)
        with ready.client(ready.token) as person:
            held_s = [_once(client, lambda approval_id: _decide(person, approval_id)) for _ in range(COUNT)]
        yield {"name": "decision to request_sync's return, held", **spread(held_s), "count": COUNT, "target": TARGET}
        yield {"name": "SDK clients that wait in checkpoint()", **_waiting(ready), "target": TARGET}
    with _answers_only() as (url, decide):
        client = CheqpointClient(api_key="x", base_url=url)
        polled_s = [_once(client, decide) for _ in range(COUNT // 2)]
    yield {"name": "the same with a server that only answers polls", **spread(polled_s), "count": COUNT // 2}


def _once(client: CheqpointClient, decide: Any) -> float:
    """Seconds from the decision to the SDK's return."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: (client.request_sync(**ASKED, timeout_ms=30_000), time.perf_counter()))
        time.sleep(0.3)
        decided_s: float = decide(None)
        result, returned_s = answer.result()
    if result["status"] != "approved":
        raise RuntimeError(result)
    return returned_s - decided_s


def _decide(person: httpx2.Client, _approval_id: str | None) -> float:
    [approval] = person.get("/api/v1/approvals", params={"status": "pending"}).json()["items"]
    body = {"verdict": "approve", "details_sha256": approval["details_sha256"]}
    began_s = time.perf_counter()
    person.post(f"/api/v1/approvals/{approval['id']}/decision", json=body).raise_for_status()
    return began_s


def _waiting(ready: Installation) -> dict[str, Any]:
    """What the gateway's process takes of a core while so many SDK clients wait, once they have waited for a while."""
    stop_s = time.monotonic() + SETTLE_S + MEASURED_S + 10

    def wait() -> None:
        client = CheqpointClient(api_key=ready.app_key, base_url=ready.url)
        request_id = client.create_request(**ASKED)["id"]
        while time.monotonic() < stop_s:  # as checkpoint() does it, with its default pause
            client.get_request(request_id)
            time.sleep(3)

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    time.sleep(SETTLE_S)
    cpu_s, began_s = ready.cpu_s(), time.monotonic()
    time.sleep(MEASURED_S)
    percent = 100 * (ready.cpu_s() - cpu_s) / (time.monotonic() - began_s)
    return {"clients": CLIENTS, "cpu_percent": round(percent, 1), "measured_s": MEASURED_S}


@contextmanager
def _answers_only() -> Iterator[tuple[str, Any]]:
    """A server that answers every request at once, and how to decide what was asked of it last."""
    state = {"status": "PENDING"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            state["status"] = "PENDING"
            self._answer({"status": "pending", "approvalId": "one"})

        def do_GET(self) -> None:
            self._answer({"id": "one", "status": state["status"], "details": {}})

        def _answer(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    def decide(_approval_id: str | None) -> float:
        state["status"] = "APPROVED"
        return time.perf_counter()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", decide
        server.shutdown()
