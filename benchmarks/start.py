"""B9: from the start of a process to ready, and the memory it takes then."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.installation import installation, serving

RUNS = 5
TARGET = {"ready_s": 3.0, "memory_mb": 150}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    ready_s, memory_mb = [], []
    with installation(database_url, folder) as ready:
        for _ in range(RUNS):
            began_s = time.perf_counter()
            with serving(ready):
                ready_s.append(time.perf_counter() - began_s)
                time.sleep(1.0)
                memory_mb.append(ready.processes[-1].memory_info().rss / 1e6)
    yield {
        "name": "start to ready, with a worker",
        "ready_s": round(statistics.median(ready_s), 2),
        "worst_ready_s": round(max(ready_s), 2),
        "memory_mb": round(statistics.median(memory_mb)),
        "runs": RUNS,
        "target": TARGET,
    }
