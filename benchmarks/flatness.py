"""B6: what an intake, a decision, a release and a tool's start cost while few or very many calls wait."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.filling import Waiting, fill, one_waiting
from benchmarks.installation import Installation, installation, serving
from benchmarks.intake import post_jobs
from benchmarks.probe import Probe, probing
from benchmarks.report import Size, spread

LEVELS: dict[Size, tuple[int, ...]] = {
    "small": (1_000, 10_000, 100_000),
    "full": (1_000, 10_000, 100_000, 1_000_000),
}
INTAKES, ROUNDS, WARM_UP = 1000, 100, 20
TARGET = {"worst_to_best": 1.3}

Figures = dict[str, float]


def measure(database_url: str, folder: Path, size: Size) -> Iterator[dict[str, Any]]:
    found: dict[str, dict[str, Figures]] = {}
    with probing() as probe, installation(database_url, folder) as ready, one_waiting(ready, probe) as waiting:
        decided = iter(range(LEVELS[size][-1]))
        for level in LEVELS[size]:
            fill(ready, waiting, level)
            for operation, figures in _at_this_level(ready, waiting, probe, decided, level):
                found.setdefault(operation, {})[str(level)] = figures
    for operation, by_waiting in found.items():
        yield {
            "name": f"{operation} while many calls wait",
            "by_waiting": by_waiting,
            "worst_to_best": {figure: _worst_to_best(by_waiting, figure) for figure in ("p50_ms", "cpu_ms_each")},
            "target": TARGET,
        }


def _at_this_level(
    ready: Installation, waiting: Waiting, probe: Probe, numbers: Iterator[int], level: int
) -> Iterator[tuple[str, Figures]]:
    with serving(ready, "--no-worker"):
        post_jobs(ready, WARM_UP, f"warm-{level}")
        yield "intake", _each(ready, INTAKES, lambda: post_jobs(ready, INTAKES, f"level-{level}"))
        with _Reviewer(ready, waiting, numbers) as reviewer:
            yield "decision", _rounds(ready, reviewer.decide)
            yield "release of a waiter", _rounds(ready, reviewer.release)
    with serving(ready):
        with ready.client(ready.app_key) as app:
            while app.get("/api/v1/jobs", params={"status": "queued,running", "limit": 1}).json()["items"]:
                time.sleep(0.2)
        with _Reviewer(ready, waiting, numbers) as reviewer:
            yield "tool start", _rounds(ready, lambda: reviewer.start_tool(probe))


class _Reviewer:
    """Decides one waiting call after the other."""

    def __init__(self, ready: Installation, waiting: Waiting, numbers: Iterator[int]) -> None:
        self._waiting = waiting
        self._numbers = numbers
        self._person: httpx2.Client = ready.client(ready.token)
        self._app: httpx2.Client = ready.client(ready.app_key)
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> "_Reviewer":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._person.close()
        self._app.close()

    def decide(self) -> float:
        """Seconds until the decision was answered."""
        path, began_s = self._next(), time.perf_counter()
        self._post(path)
        return time.perf_counter() - began_s

    def release(self) -> float:
        """Seconds from the decision until somebody who waits for it has their answer."""
        path = self._next()
        held = self._pool.submit(self._wait, path)
        time.sleep(0.02)
        began_s = time.perf_counter()
        self._post(path)
        return held.result() - began_s

    def start_tool(self, probe: Probe) -> float:
        """Seconds from the decision until the tool is called."""
        path, began_s = self._next(), time.perf_counter()
        self._post(path)
        key = path.rpartition("/")[2]
        while key not in probe.began_s:
            time.sleep(0.001)
        return probe.began_s[key] - began_s

    def _next(self) -> str:
        return f"/api/v1/approvals/{self._waiting.approval_id(next(self._numbers))}"

    def _post(self, path: str) -> None:
        body = {"verdict": "approve", "details_sha256": self._waiting.details_sha256}
        self._person.post(f"{path}/decision", json=body).raise_for_status()

    def _wait(self, path: str) -> float:
        self._app.get(path, params={"wait": 30}).raise_for_status()
        return time.perf_counter()


def _rounds(ready: Installation, operation: Callable[[], float]) -> Figures:
    for _ in range(WARM_UP):
        operation()
    return _each(ready, ROUNDS, lambda: [operation() for _ in range(ROUNDS)])


def _each(ready: Installation, count: int, operations: Callable[[], list[float]]) -> Figures:
    cpu_s = ready.cpu_s()
    times_s = operations()
    return {
        "p50_ms": spread(times_s)["p50_ms"],
        "cpu_ms_each": round((ready.cpu_s() - cpu_s) * 1000 / count, 2),
    }


def _worst_to_best(by_waiting: dict[str, Figures], figure: str) -> float:
    values = [figures[figure] for figures in by_waiting.values()]
    return round(max(values) / min(values), 2)
