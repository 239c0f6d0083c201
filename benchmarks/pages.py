"""B4: how long the pages of a reviewer take while few or very many calls wait, and what a first visit weighs."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.filling import Waiting, fill, one_waiting
from benchmarks.installation import PASSWORD, Installation, installation, serving
from benchmarks.probe import probing
from benchmarks.report import Size, spread

LEVELS: dict[Size, tuple[int, ...]] = {"small": (1_000, 100_000), "full": (1_000, 100_000, 1_000_000)}
ROUNDS, WARM_UP = 200, 20
TARGET = {"p95_ms": 30.0, "first_visit_bytes": 120_000}
_ASSET = re.compile(r'(?:src|href)="(/static/[^"#]+)')


def measure(database_url: str, folder: Path, size: Size) -> Iterator[dict[str, Any]]:
    with probing() as probe, installation(database_url, folder) as ready, one_waiting(ready, probe) as waiting:
        for level in LEVELS[size]:
            fill(ready, waiting, level)
            with serving(ready, "--no-worker"), _signed_in(ready) as browser:
                for page, path in _pages(waiting, level).items():
                    figures = {"waiting": level, **_visits(browser, path), "rounds": ROUNDS}
                    yield {"name": f"page: {page}", **figures, "target": TARGET}


def _pages(waiting: Waiting, level: int) -> dict[str, str]:
    review = f"/approvals/{waiting.approval_id(level // 2)}"
    return {
        "inbox": "/",
        "inbox of one tool": "/?q=tool:probe",
        "inbox of words that nothing has": "/?q=nowhere",
        "the list alone": "/inbox/rows",
        "review": review,
        "history": "/history",
    }


@contextlib.contextmanager
def _signed_in(ready: Installation) -> Iterator[httpx2.Client]:
    """A client that carries the cookie of the reviewer."""
    headers = {"Origin": ready.url, "Accept-Encoding": "gzip"}
    with httpx2.Client(base_url=ready.url, headers=headers, timeout=40, trust_env=False) as browser:
        browser.post("/sign-in", data={"email": "reviewer@example.com", "password": PASSWORD})
        # Without the cookie this were the form to sign in with: also a page, and a fast one.
        browser.get("/settings").raise_for_status()
        yield browser


def _visits(browser: httpx2.Client, path: str) -> dict[str, Any]:
    """The times of one visitor's visits, one after the other, HTTP and all."""
    times_s = []
    for _ in range(WARM_UP + ROUNDS):
        began_s = time.perf_counter()
        browser.get(path).raise_for_status()
        times_s.append(time.perf_counter() - began_s)
    ordered = sorted(times_s[WARM_UP:])
    p95_ms = round(ordered[int(ROUNDS * 0.95)] * 1000, 2)
    return {**spread(ordered), "p95_ms": p95_ms, "first_visit_bytes": _weight(browser, path)}


def _weight(browser: httpx2.Client, path: str) -> int:
    """Bytes over the wire of the page and all that it names, without headers and without a cache."""
    page = browser.get(path)
    parts = [page, *(browser.get(asset) for asset in dict.fromkeys(_ASSET.findall(page.text)))]
    return sum(part.num_bytes_downloaded for part in parts)
