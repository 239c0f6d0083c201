"""B1: jobs taken in durably over HTTP, by one web process without a worker."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.installation import Installation, bearing, installation, serving
from benchmarks.load import post_many
from benchmarks.report import spread

COUNT, WARM_UP, CONNECTIONS = 6000, 500, 16
TARGET = {"per_s": 600, "p99_ms": 150}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with installation(database_url, folder) as ready, serving(ready, "--no-worker"):
        post_jobs(ready, WARM_UP, "warm")
        cpu_s, began_s = ready.cpu_s(), time.perf_counter()
        times_s = post_jobs(ready, COUNT, "job")
        took_s = time.perf_counter() - began_s
        yield {
            "name": "durable intake over HTTP",
            "per_s": round(COUNT / took_s),
            **spread(times_s),
            "cpu_ms_each": round((ready.cpu_s() - cpu_s) * 1000 / COUNT, 3),
            "count": COUNT,
            "connections": CONNECTIONS,
            "body_bytes": len(make_body()),
            "target": TARGET,
        }


def post_jobs(ready: Installation, count: int, prefix: str) -> list[float]:
    """The seconds that each submission took; their keys begin with ``prefix``."""
    body = make_body()

    def request_of(number: int) -> tuple[str, dict[str, str], bytes]:
        own = {"Content-Type": "application/json", "Idempotency-Key": f"{prefix}-{number}"}
        return "/api/v1/jobs", {**bearing(ready.app_key), **own}, body

    return asyncio.run(post_many(ready.url, request_of, count=count, connections=CONNECTIONS))


def make_body() -> bytes:
    """1.1 kB, as a support agent's job may have; the scripted model ends such a job at once."""
    return json.dumps({"input": "There is nothing to do. " + "x" * 1000, "metadata": {"ticket": "T-1042"}}).encode()
