"""Runs the figures on both databases: ``python -m benchmarks [NAME …] [--database sqlite|postgres] [--size …]``."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import (
    advances,
    burst,
    cheqpoint_face,
    crash,
    endurance,
    flatness,
    floor,
    idle,
    intake,
    pages,
    release,
    rivals,
    start,
    whole_job,
)
from benchmarks.installation import database_of
from benchmarks.report import Size, show

FIGURES: dict[str, Callable[[str, Path], Iterator[dict[str, Any]]]] = {
    "floor": floor.measure,
    "B1": intake.measure,
    "B2": release.measure,
    "B3": whole_job.measure,
    "B7": idle.measure,
    "B8": burst.measure,
    "B11": crash.measure,
    "advances": advances.measure,
    "cheqpoint": cheqpoint_face.measure,
}
#: Figures that take long, and the size that takes some minutes at most.
LONG_FIGURES: dict[str, tuple[Callable[[str, Path, Size], Iterator[dict[str, Any]]], Size]] = {
    "B4": (pages.measure, "small"),
    "B6": (flatness.measure, "small"),
    "B9": (start.measure, "small"),
    "B13": (rivals.measure, "full"),
    "endurance": (endurance.measure, "small"),
}
NAMES = (*FIGURES, *LONG_FIGURES)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure; one JSON line per figure.")
    parser.add_argument("figures", nargs="*", help=f"which of {', '.join(NAMES)}; all by default")
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append", help="both by default")
    parser.add_argument("--size", choices=("small", "full"), help=f"of {', '.join(LONG_FIGURES)}; some minutes each")
    asked = parser.parse_args()
    unknown = set(asked.figures) - set(NAMES)
    if unknown:
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for database in asked.database or ("sqlite", "postgres"):
        for name in asked.figures or NAMES:
            with tempfile.TemporaryDirectory() as folder, database_of(database, Path(folder)) as url:
                for figures in _measure(name, url, Path(folder), asked.size):
                    show(name, database, figures)
    return 0


def _measure(name: str, database_url: str, folder: Path, size: Size | None) -> Iterator[dict[str, Any]]:
    if name in FIGURES:
        yield from FIGURES[name](database_url, folder)
        return
    measure, usual_size = LONG_FIGURES[name]
    for figures in measure(database_url, folder, size or usual_size):
        yield {**figures, "size": size or usual_size}


if __name__ == "__main__":
    sys.exit(main())
