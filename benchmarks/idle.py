"""B7: what a thousand clients cost that wait and are told nothing."""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.counted import read_count
from benchmarks.filling import Waiting, fill, one_waiting
from benchmarks.installation import Installation, bearing, installation, serving
from benchmarks.load import Connection, connected, connected_often
from benchmarks.probe import probing
from benchmarks.report import spread

COUNT, WARM_UP = 1000, 50
HOLD_S, WINDOW_S = 60, 50  # what is measured lies within the minute for which a request is held
BEFORE_S = 10
HEALTH_EVERY_S = 0.05
LEAST_STATEMENTS, QUIET_S = 3, 2.0  # each has been read with so many, and then nothing more for so long
TARGET = {"cpu_percent": 2, "memory_kb_each": 40, "healthz_p99_ms": 10, "statements": 0}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    count_file = folder / "statements"
    with probing() as probe, installation(database_url, folder) as ready, one_waiting(ready, probe) as waiting:
        fill(ready, waiting, COUNT + 1)
        ready.program = (sys.executable, "-m", "benchmarks.counted", str(count_file))
        for name in ("held requests", "event streams"):
            with serving(ready, "--no-worker"):
                figures = asyncio.run(_hold(ready, waiting, count_file, are_streams=name == "event streams"))
            yield {"name": f"idle {name}", **figures, "count": COUNT, "target": TARGET}


async def _hold(ready: Installation, waiting: Waiting, count_file: Path, *, are_streams: bool) -> dict[str, Any]:
    gateway = ready.processes[-1]
    # What serving takes at all is not the price of those who wait.
    await _warm_up(ready, waiting)
    async with connected_often(ready.url, COUNT) as connections:
        before_percent, _ = await _watch(ready, BEFORE_S)
        memory = gateway.memory_info().rss
        sent_at_s = time.perf_counter()
        await _attach(ready, waiting, connections, count_file, are_streams=are_streams)
        window_s = min(WINDOW_S, HOLD_S - 3 - (time.perf_counter() - sent_at_s))
        statements = read_count(count_file)
        percent, times_s = await _watch(ready, window_s)
        return {
            "cpu_percent": round(percent - before_percent, 2),
            "cpu_percent_before": round(before_percent, 2),
            "memory_kb_each": round((gateway.memory_info().rss - memory) / 1000 / COUNT, 1),
            "statements": read_count(count_file) - statements,
            **{f"healthz_{name}": value for name, value in spread(times_s).items()},
            "window_s": round(window_s),
        }


async def _warm_up(ready: Installation, waiting: Waiting) -> None:
    async with connected_often(ready.url, WARM_UP) as connections:
        path = f"/api/v1/approvals/{waiting.approval_id(COUNT)}?wait=1"
        await asyncio.gather(*(one.ask("GET", path, bearing(ready.app_key)) for one in connections))


async def _attach(
    ready: Installation,
    waiting: Waiting,
    connections: list[Connection],
    count_file: Path,
    *,
    are_streams: bool,
) -> None:
    """Each connection waits for another call, and the last of them has been read."""
    least = read_count(count_file) + LEAST_STATEMENTS * len(connections)
    for number, connection in enumerate(connections):
        held = f"/api/v1/approvals/{waiting.approval_id(number)}?wait={HOLD_S}"
        stream = f"/api/v1/jobs/{waiting.job_id(number)}/events"
        connection.send("GET", stream if are_streams else held, bearing(ready.app_key))
    before = -1
    while before < (now := read_count(count_file)) or now < least:
        before = now
        await asyncio.sleep(QUIET_S)


async def _watch(ready: Installation, window_s: float) -> tuple[float, list[float]]:
    """Percent of a core, and the seconds that looks at /healthz took meanwhile."""
    times_s: list[float] = []
    async with connected(ready.url) as health:
        cpu_s, first_s = ready.cpu_s(), time.perf_counter()
        while (began_s := time.perf_counter()) < first_s + window_s:
            await health.ask("GET", "/healthz", {})
            times_s.append(time.perf_counter() - began_s)
            await asyncio.sleep(HEALTH_EVERY_S)
        return (ready.cpu_s() - cpu_s) * 100 / (time.perf_counter() - first_s), times_s
