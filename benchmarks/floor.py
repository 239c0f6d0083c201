"""The floor: what the same machine does with a bare app, so that figures of different days compare as ratios."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.installation import bare_app
from benchmarks.intake import CONNECTIONS, make_body
from benchmarks.load import Connection, connected, post_many
from benchmarks.report import spread

COUNT, WARM_UP = 6000, 500
RELEASES, PAUSE_S = 150, 0.03


def measure(database_url: str, folder: Path) -> Iterator[dict[str, Any]]:
    body = make_body()
    with bare_app(database_url, folder) as (url, process):
        _post(url, range(WARM_UP), body)
        cpu_s, began_s = sum(process.cpu_times()[:2]), time.perf_counter()
        times_s = _post(url, range(WARM_UP, WARM_UP + COUNT), body)
        took_s = time.perf_counter() - began_s
        yield {
            "name": "durable intake over HTTP, bare app",
            "per_s": round(COUNT / took_s),
            **spread(times_s),
            "cpu_ms_each": round((sum(process.cpu_times()[:2]) - cpu_s) * 1000 / COUNT, 3),
            "count": COUNT,
            "connections": CONNECTIONS,
            "body_bytes": len(body),
        }
        released_s = asyncio.run(_release(url))
        yield {"name": "decision to held waiter, bare app", **spread(released_s), "count": RELEASES}


def _post(url: str, numbers: range, body: bytes) -> list[float]:
    def request_of(index: int) -> tuple[str, dict[str, str], bytes]:
        return f"/rows/{numbers[index]}", {"Content-Type": "application/json"}, body

    return asyncio.run(post_many(url, request_of, count=len(numbers), connections=CONNECTIONS))


async def _release(url: str) -> list[float]:
    """Seconds from sending each decision until the one who waits for it has their answer."""
    async with connected(url) as waiter, connected(url) as decider:
        return [await _release_one(waiter, decider, number) for number in range(RELEASES)]


async def _release_one(waiter: Connection, decider: Connection, number: int) -> float:
    waiter.send("GET", f"/rows/{number}", {})
    await asyncio.sleep(PAUSE_S)
    began_s = time.perf_counter()
    decider.send("POST", f"/rows/{number}/decision", {})
    await waiter.answer()
    took_s = time.perf_counter() - began_s
    await decider.answer()
    return took_s
