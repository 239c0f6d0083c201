"""How many steps of jobs are done in a second when neither the model nor the tool takes any time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.installation import Installation, installation, instant_model, model_calls, serving
from benchmarks.intake import post_jobs

JOBS = 1000
CALLS_EACH = 2  # the call, and the last words
TARGET = {"advances_per_s": 150}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    tools = "benchmarks.instant_tool:registry"
    with installation(database_url, folder, TOOLS=tools) as ready, instant_model(ready) as model_url:
        with serving(ready, "--no-worker"):
            post_jobs(ready, JOBS, "job")
        with serving(ready):
            began_cpu_s = ready.cpu_s()
            calls = _await_calls(model_url, ready)
            cpu_s = ready.cpu_s() - began_cpu_s
    yield {
        "name": "steps of jobs with an automatic tool",
        "advances_per_s": round(calls["count"] / (calls["last_at_s"] - calls["first_at_s"])),
        "cpu_ms_each_job": round(cpu_s * 1000 / JOBS, 1),
        "advances": int(calls["count"]),
        "jobs": JOBS,
        "target": TARGET,
    }


def _await_calls(model_url: str, ready: Installation) -> dict[str, float]:
    """The model's count when every job has ended."""
    while (calls := model_calls(model_url))["count"] < JOBS * CALLS_EACH:
        time.sleep(0.1)
    with ready.client(ready.app_key) as app:
        while app.get("/api/v1/jobs", params={"status": "queued,running", "limit": 1}).json()["items"]:
            time.sleep(0.02)
    return calls
