"""Memory and latency of one process over ten thousand jobs."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.installation import installation, instant_model, serving
from benchmarks.report import Progress, Size, spread

JOBS: dict[Size, int] = {"small": 1_000, "full": 10_000}
PART = 10  # of the jobs: what is compared at the beginning and at the end
CLIENTS = 4
TARGET = {"memory_growth_percent": 10, "last_to_first_p50": 1.3}


def measure(database_url: str, folder: Path, size: Size) -> Iterator[dict[str, Any]]:
    count, part = JOBS[size], JOBS[size] // PART
    times_s: list[float] = []
    memory_mb: list[float] = []
    tools = "benchmarks.instant_tool:registry"
    with installation(database_url, folder, TOOLS=tools) as ready, instant_model(ready), serving(ready):
        progress = Progress("jobs", count)
        with ready.client(ready.app_key) as app, ThreadPoolExecutor(CLIENTS) as pool:
            while len(times_s) < count:
                times_s += pool.map(lambda _: _run_job(app), range(part))
                memory_mb.append(ready.processes[-1].memory_info().rss / 1e6)
                progress.show(len(times_s))
    first, last = times_s[:part], times_s[-part:]
    yield {
        "name": "endurance",
        "jobs": count,
        "memory_first_mb": round(memory_mb[0], 1),
        "memory_last_mb": round(memory_mb[-1], 1),
        "memory_growth_percent": round((memory_mb[-1] / memory_mb[0] - 1) * 100, 1),
        "p50_first_ms": spread(first)["p50_ms"],
        "p50_last_ms": spread(last)["p50_ms"],
        "last_to_first_p50": round(statistics.median(last) / statistics.median(first), 2),
        "p99_last_ms": spread(last)["p99_ms"],
        "compared": part,
        "clients": CLIENTS,
        "target": TARGET,
    }


def _run_job(app: httpx2.Client) -> float:
    """Seconds from submitting to the final answer."""
    began_s = time.perf_counter()
    answer = app.post("/api/v1/jobs", json={"input": "note it"}, headers={"Prefer": "wait=30"}).raise_for_status()
    took_s = time.perf_counter() - began_s
    if (status := answer.json()["status"]) != "succeeded":
        raise RuntimeError(f"the job is {status} after {took_s:.1f} s")
    return took_s
