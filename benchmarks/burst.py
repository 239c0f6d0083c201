"""B8: two hundred people decide at one instant, each about another call."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.filling import Waiting, fill, one_waiting
from benchmarks.installation import Installation, bearing, installation, serving
from benchmarks.load import Connection, connected_often
from benchmarks.probe import Probe, probing
from benchmarks.report import spread

COUNT, WARM_UP = 200, 20
SETTLE_S = 60.0
TARGET = {"errors": 0, "wall_s": 1.0}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with probing() as probe, installation(database_url, folder) as ready, one_waiting(ready, probe) as waiting:
        fill(ready, waiting, COUNT + WARM_UP)
        with serving(ready):
            asyncio.run(_decide_at_once(ready, waiting, range(COUNT, COUNT + WARM_UP)))
            cpu_s = ready.cpu_s()
            statuses, times_s, wall_s = asyncio.run(_decide_at_once(ready, waiting, range(COUNT)))
            cpu_s = ready.cpu_s() - cpu_s
            ran = _await_calls(probe, waiting)
    yield {
        "name": "decisions at one instant",
        "wall_s": round(wall_s, 3),
        "errors": COUNT - statuses[200],
        **spread(times_s),
        "cpu_s_meanwhile": round(cpu_s, 2),
        "calls_run_once": ran,
        "count": COUNT,
        "connections": COUNT,
        "target": TARGET,
    }


async def _decide_at_once(
    ready: Installation, waiting: Waiting, numbers: range
) -> tuple[Counter[int], list[float], float]:
    body = json.dumps({"verdict": "approve", "details_sha256": waiting.details_sha256}).encode()
    headers = {**bearing(ready.token), "Content-Type": "application/json"}

    async def decide(connection: Connection, number: int) -> tuple[int, float]:
        path = f"/api/v1/approvals/{waiting.approval_id(number)}/decision"
        status, _ = await connection.ask("POST", path, headers, body)
        return status, time.perf_counter() - began_s

    async with connected_often(ready.url, len(numbers)) as connections:
        began_s = time.perf_counter()
        answers = await asyncio.gather(*map(decide, connections, numbers))
        wall_s = time.perf_counter() - began_s
    return Counter(status for status, _ in answers), [took_s for _, took_s in answers], wall_s


def _await_calls(probe: Probe, waiting: Waiting) -> int:
    """How many of the approved calls ran exactly once, when all have run or time is up."""
    expected = {waiting.approval_id(number) for number in range(COUNT)}
    end_s = time.monotonic() + SETTLE_S
    while not expected <= probe.calls.keys() and time.monotonic() < end_s:
        time.sleep(0.05)
    return sum(probe.calls[approval_id] == 1 for approval_id in expected)
