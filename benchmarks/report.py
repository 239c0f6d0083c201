"""One JSON line per figure, with the machine and the versions it was taken on."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

#: How much of a long figure is measured.
Size = Literal["small", "full"]

PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "dbos", "mistralai", "psycopg")


def show(figure: str, database: str, figures: Mapping[str, Any]) -> None:
    """The line is printed."""
    machine = {
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    versions = {package: version(package) for package in PACKAGES}
    line = {"figure": figure, "database": database, **figures, "machine": machine, "versions": versions}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def spread(times_s: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and worst, in ms."""
    ordered = sorted(times_s)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {
        "p50_ms": round(statistics.median(ordered) * 1000, 2),
        "p99_ms": round(last * 1000, 2),
        "max_ms": round(ordered[-1] * 1000, 2),
    }


class Progress:
    """How far a long figure is, on standard error."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._began_s = time.monotonic()

    def show(self, done: int) -> None:
        took_s = time.monotonic() - self._began_s
        sys.stderr.write(f"\r{done:,} of {self._total:,} {self._what} after {took_s:.0f} s ")
        if done >= self._total:
            sys.stderr.write("\n")
        sys.stderr.flush()
