"""B13: sixteen reviewers decide the same call at once, again and again."""

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
from benchmarks.probe import probing
from benchmarks.report import Size, spread

ROUNDS: dict[Size, int] = {"small": 100, "full": 500}
RIVALS, WARM_UP = 16, 10
ONE_WINNER = Counter({200: 1, 409: RIVALS - 1})
TARGET = {"rounds_with_one_winner": "all", "loser_p99_ms": 20}


def measure(database_url: str, folder: Path, size: Size) -> Iterator[dict[str, Any]]:
    rounds = ROUNDS[size]
    with probing() as probe, installation(database_url, folder) as ready, one_waiting(ready, probe) as waiting:
        fill(ready, waiting, WARM_UP + rounds)
        tokens = ready.make_reviewers(RIVALS)
        with serving(ready, "--no-worker"):
            cpu_s = ready.cpu_s()
            outcomes, losers_s, winners_s = asyncio.run(_compete(ready, waiting, tokens, rounds))
            cpu_s = ready.cpu_s() - cpu_s
    yield {
        "name": "rivals for one decision",
        "rounds": rounds,
        "rounds_with_one_winner": sum(outcome == ONE_WINNER for outcome in outcomes),
        **{f"loser_{name}": value for name, value in spread(losers_s).items()},
        "winner_p50_ms": spread(winners_s)["p50_ms"],
        "cpu_ms_each_round": round(cpu_s * 1000 / (WARM_UP + rounds), 1),
        "rivals": RIVALS,
        "target": TARGET,
    }


async def _compete(
    ready: Installation, waiting: Waiting, tokens: list[str], rounds: int
) -> tuple[list[Counter[int]], list[float], list[float]]:
    outcomes: list[Counter[int]] = []
    times_s: dict[int, list[float]] = {200: [], 409: []}
    async with connected_often(ready.url, RIVALS) as connections:
        for number in range(WARM_UP + rounds):
            path = f"/api/v1/approvals/{waiting.approval_id(number)}/decision"
            rivals = zip(connections, tokens, range(RIVALS), strict=True)
            answers = await asyncio.gather(*(_decide(path, waiting, *rival) for rival in rivals))
            if number < WARM_UP:
                continue
            outcomes.append(Counter(status for status, _ in answers))
            for status, took_s in answers:
                times_s.setdefault(status, []).append(took_s)
    return outcomes, times_s[409], times_s[200]


async def _decide(path: str, waiting: Waiting, connection: Connection, token: str, rival: int) -> tuple[int, float]:
    """The status and the seconds; every other rival rejects."""
    body = {"verdict": ("approve", "reject")[rival % 2], "details_sha256": waiting.details_sha256}
    headers = {**bearing(token), "Content-Type": "application/json"}
    began_s = time.perf_counter()
    status, _ = await connection.ask("POST", path, headers, json.dumps(body).encode())
    return status, time.perf_counter() - began_s
