"""B11: the process is killed while ten thousand calls wait, a hundred clients follow them and calls are decided."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.filling import Waiting, fill, one_waiting
from benchmarks.installation import Installation, bearing, free_port, installation, serving
from benchmarks.load import connected
from benchmarks.probe import Probe, probing

PENDING, FOLLOWERS, DECIDED, DECIDERS = 10_000, 100, 300, 4
RETRY_S = 0.02
SETTLE_S = 60.0  # on PostgreSQL a dead worker's calls are taken over within 20 s
TARGET = {"lost": 0, "duplicated": 0, "attached_again_s": 3.0}


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    with probing() as probe, installation(database_url, folder) as ready, one_waiting(ready, probe) as waiting:
        fill(ready, waiting, PENDING)
        figures = asyncio.run(_Crash(ready, waiting).run())
        yield {"name": "crash and restart", **figures, **_settled(ready, waiting, probe), "target": TARGET}


class _Crash:
    """The first calls are followed, the next ones decided; the process dies when half of those are."""

    def __init__(self, ready: Installation, waiting: Waiting) -> None:
        self._ready = ready
        self._waiting = waiting
        self._port = free_port()
        self._url = f"http://127.0.0.1:{self._port}"
        self._attached_at_s: dict[int, float] = {}
        self._released: set[int] = set()
        self._decided = 0

    async def run(self) -> dict[str, Any]:
        followed, decided = range(FOLLOWERS), range(FOLLOWERS, FOLLOWERS + DECIDED)
        async with self._serving(), asyncio.TaskGroup() as tasks:
            for number in followed:
                tasks.create_task(self._follow(number))
            await self._until(lambda: len(self._attached_at_s) == FOLLOWERS)
            numbers = iter(decided)
            deciding = [tasks.create_task(self._decide_all(numbers)) for _ in range(DECIDERS)]
            await self._until(lambda: self._decided >= DECIDED // 2)
            os.kill(self._ready.processes[-1].pid, signal.SIGKILL)
            self._attached_at_s.clear()
            restarted_at_s = time.perf_counter()
            async with self._serving():
                ready_s = time.perf_counter() - restarted_at_s
                await self._until(lambda: len(self._attached_at_s) == FOLLOWERS)
                attached_s = max(self._attached_at_s.values()) - restarted_at_s
                await asyncio.wait(deciding)
                await self._decide_all(iter(followed))
                await self._until(lambda: len(self._released) == FOLLOWERS)
        return {
            "ready_s": round(ready_s, 2),
            "attached_again_s": round(attached_s, 2),
            "followers": FOLLOWERS,
            "followers_released": len(self._released),
        }

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        """As ``serving``, without holding up those who wait meanwhile."""
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, serving(self._ready, port=self._port))
            yield

    async def _follow(self, number: int) -> None:
        """Follows the job until it tells of the decision, however often the connection breaks."""
        path, last_id = f"/api/v1/jobs/{self._waiting.job_id(number)}/events", "0"
        while number not in self._released:
            with contextlib.suppress(OSError):
                async with connected(self._url) as connection:
                    connection.send("GET", path, {**bearing(self._ready.app_key), "Last-Event-ID": last_id})
                    status, _ = await connection.read_head()
                    if status == 200:
                        self._attached_at_s[number] = time.perf_counter()
                    while line := await connection.read_line():
                        if line.startswith(b"id:"):
                            last_id = line.split()[1].decode()
                        if line.startswith(b"event: approval.decided"):
                            self._released.add(number)
                            break
            await asyncio.sleep(RETRY_S)

    async def _decide_all(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            while not await self._decide(number):
                await asyncio.sleep(RETRY_S)
            self._decided += 1

    async def _decide(self, number: int) -> bool:
        """True when it was answered; asked again the same decision is no other."""
        path = f"/api/v1/approvals/{self._waiting.approval_id(number)}/decision"
        body = {"verdict": "approve", "details_sha256": self._waiting.details_sha256}
        headers = {**bearing(self._ready.token), "Content-Type": "application/json"}
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with connected(self._url) as connection:
                status, _ = await connection.ask("POST", path, headers, json.dumps(body).encode())
                return status == 200
        return False

    async def _until(self, is_true: Any) -> None:
        async with asyncio.timeout(SETTLE_S):
            while not is_true():
                await asyncio.sleep(0.005)


def _settled(ready: Installation, waiting: Waiting, probe: Probe) -> dict[str, int]:
    """What became of the decided calls, once each has run or is in doubt, or time is up."""
    decided = [waiting.approval_id(number) for number in range(FOLLOWERS + DECIDED)]
    with serving(ready, port=urlsplit(ready.url).port), ready.client(ready.token) as person:
        end_s = time.monotonic() + SETTLE_S
        open_ones = list(decided)
        outcomes: dict[str, int] = {"succeeded": 0, "unknown": 0}
        while open_ones and time.monotonic() < end_s:
            for approval_id in list(open_ones):
                execution = person.get(f"/api/v1/approvals/{approval_id}").json()["execution"]
                if execution and execution["status"] in outcomes:
                    outcomes[execution["status"]] += 1
                    open_ones.remove(approval_id)
            time.sleep(0.2)
        pending = sum(1 for _ in _pending(person))
    return {
        "lost": len(open_ones) + PENDING + 1 - len(decided) - pending,
        "duplicated": sum(probe.calls[approval_id] > 1 for approval_id in decided),
        "run": outcomes["succeeded"],
        "in_doubt": outcomes["unknown"],
        "still_pending": pending,
    }


def _pending(person: Any) -> Iterator[dict[str, Any]]:
    query = {"status": "pending", "limit": 200}
    while True:
        page = person.get("/api/v1/approvals", params=query).json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]
