"""B9: from the start of a process to ready, and the memory it takes then: with nothing and with many waiting calls."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.filling import fill, one_waiting
from benchmarks.installation import Installation, installation, serving
from benchmarks.probe import probing
from benchmarks.report import Size

RUNS = 5
WAITING: dict[Size, int] = {"small": 100_000, "full": 1_000_000}
TARGET = {"ready_s": 3.0, "memory_mb": 150}


def measure(database_url: str, folder: Path, size: Size) -> Iterator[dict[str, Any]]:
    with probing() as probe, installation(database_url, folder) as ready:
        yield {"name": "start to ready, with a worker", **_start(ready), "target": TARGET}
        with one_waiting(ready, probe) as waiting:
            fill(ready, waiting, WAITING[size])
            figures = {**_start(ready), "waiting": WAITING[size]}
        yield {"name": "start to ready, with a worker and many waiting calls", **figures, "target": TARGET}


def _start(ready: Installation) -> dict[str, Any]:
    ready_s, memory_mb, inbox_s = [], [], []
    for _ in range(RUNS):
        began_s = time.perf_counter()
        with serving(ready), ready.client(ready.token) as person:
            ready_s.append(time.perf_counter() - began_s)
            time.sleep(1.0)
            began_s = time.perf_counter()
            person.get("/api/v1/approvals", params={"status": "pending"}).raise_for_status()
            inbox_s.append(time.perf_counter() - began_s)
            memory_mb.append(ready.processes[-1].memory_info().rss / 1e6)
    return {
        "ready_s": round(statistics.median(ready_s), 2),
        "worst_ready_s": round(max(ready_s), 2),
        "memory_mb": round(statistics.median(memory_mb)),
        "first_inbox_ms": round(statistics.median(inbox_s) * 1000, 1),
        "runs": RUNS,
    }
