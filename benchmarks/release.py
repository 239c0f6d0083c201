"""B2: from a decision to the waiter that it releases, and to the tool that it starts."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.installation import Installation, installation, scripted_model, serving
from benchmarks.probe import Probe, probing
from benchmarks.report import spread

COUNT, WARM_UP = 150, 10
TARGET = {"waiter_p50_ms": 10}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with (
        probing() as probe,
        installation(database_url, folder) as ready,
        scripted_model(ready),
    ):
        (folder / "tools.toml").write_text(probe.tools_file())
        if database_url.startswith("sqlite"):
            with serving(ready):
                yield from _figures(ready, probe, "one process")
            return
        with serving(ready):
            yield from _figures(ready, probe, "one process")
        with serving(ready, "--no-worker"), ready.running("worker"):
            yield from _figures(ready, probe, "two processes")


def _figures(ready: Installation, probe: Probe, processes: str) -> Iterator[dict[str, Any]]:
    waiters_s, tools_s = [], []
    with (
        ready.client(ready.app_key) as app,
        ready.client(ready.token) as person,
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


def _once(app: httpx2.Client, person: httpx2.Client, pool: ThreadPoolExecutor, probe: Probe) -> tuple[float, float]:
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
