"""B1: jobs taken in durably over HTTP, by one web process without a worker."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.installation import installation, serving
from benchmarks.load import post_many
from benchmarks.report import spread

COUNT, WARM_UP, CONNECTIONS = 6000, 500, 16
TARGET = {"per_s": 600, "p99_ms": 150}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with installation(database_url, folder) as ready, serving(ready, "--no-worker"):
        _post(ready.url, ready.app_key, WARM_UP, "warm")
        cpu_s, began_s = ready.cpu_s(), time.perf_counter()
        times_s = _post(ready.url, ready.app_key, COUNT, "job")
        took_s = time.perf_counter() - began_s
        yield {
            "name": "durable intake over HTTP",
            "per_s": round(COUNT / took_s),
            **spread(times_s),
            "cpu_ms_each": round((ready.cpu_s() - cpu_s) * 1000 / COUNT, 3),
            "count": COUNT,
            "connections": CONNECTIONS,
            "body_bytes": len(_body()),
            "target": TARGET,
        }


def _post(url: str, key: str, count: int, prefix: str) -> list[float]:
    body = _body()

    def request_of(number: int) -> tuple[dict[str, str], bytes]:
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"{prefix}-{number}",
        }
        return headers, body

    return asyncio.run(post_many(f"{url}/api/v1/jobs", request_of, count=count, connections=CONNECTIONS))


def _body() -> bytes:
    """1.1 kB, as a support agent's job may have."""
    return json.dumps({"input": "Refund order ord_1042. " + "x" * 1000, "metadata": {"ticket": "T-1042"}}).encode()
