"""B3: a whole job of three rounds, one call each, that is approved, edited and rejected over the API."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.installation import installation, scripted_model, serving
from benchmarks.report import spread

COUNT, WARM_UP = 60, 5
MODEL_CALLS = 4
TARGET = {"beyond_the_model_p50_ms": 200}
DECISIONS: tuple[dict[str, Any], ...] = (
    {"verdict": "approve"},
    {"verdict": "approve", "modified_details": {"operation": "add", "a": 3, "b": 40}},
    {"verdict": "reject", "note": "Enough."},
)


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with installation(database_url, folder) as ready, scripted_model(ready) as model_url, serving(ready):
        model_s = _model_s(model_url)
        with ready.client(ready.app_key) as app, ready.client(ready.token) as person:
            for _ in range(WARM_UP):
                _run_job(app, person)
            cpu_s = ready.cpu_s()
            whole_s = [_run_job(app, person) for _ in range(COUNT)]
            cpu_ms = (ready.cpu_s() - cpu_s) * 1000 / COUNT
        beyond_s = [took_s - MODEL_CALLS * model_s for took_s in whole_s]
        yield {
            "name": "three-call job, beyond the model's own time",
            **spread(beyond_s),
            "whole_p50_ms": spread(whole_s)["p50_ms"],
            "model_call_ms": round(model_s * 1000, 2),
            "cpu_ms_each": round(cpu_ms, 1),
            "count": COUNT,
            "target": TARGET,
        }


def _run_job(app: httpx2.Client, person: httpx2.Client) -> float:
    """Seconds from submitting to the final answer; a reviewer's program decides what the job's events tell of."""
    began_s = time.perf_counter()
    job = app.post("/api/v1/jobs", json={"input": "three rounds"}).raise_for_status().json()
    path = f"/api/v1/jobs/{job['id']}"
    decisions = iter(DECISIONS)
    with person.stream("GET", f"{path}/events") as stream:
        for approval_id in _asked_for(stream.iter_lines()):
            approval = person.get(f"/api/v1/approvals/{approval_id}").json()
            body = {**next(decisions), "details_sha256": approval["details_sha256"]}
            person.post(f"/api/v1/approvals/{approval_id}/decision", json=body).raise_for_status()
    took_s = time.perf_counter() - began_s
    final = app.get(path).json()
    if final["status"] != "succeeded":
        raise RuntimeError(f"the job ended {final['status']}: {final['error']}")
    return took_s


def _asked_for(lines: Iterator[str]) -> Iterator[str]:
    """The approvals that a job's events tell of, until its last event."""
    for line in lines:
        if line.startswith("data:"):
            event = json.loads(line.removeprefix("data:"))
            if event["name"] == "approval.requested":
                yield event["approval_id"]


def _model_s(url: str) -> float:
    """What one call of the scripted model takes without us: the median of some."""
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "three rounds"}]}
    times_s = []
    with httpx2.Client(trust_env=False, headers={"Authorization": "Bearer scripted"}) as http:
        for _ in range(40):
            began_s = time.perf_counter()
            http.post(f"{url}/v1/chat/completions", json=body).raise_for_status()
            times_s.append(time.perf_counter() - began_s)
    return sorted(times_s)[len(times_s) // 2]
