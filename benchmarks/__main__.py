"""Runs the figures on both databases: ``python -m benchmarks [NAME …] [--database sqlite|postgres]``."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import intake, release, start, whole_job
from benchmarks.installation import database_of
from benchmarks.report import show

FIGURES = {"B1": intake.measure, "B2": release.measure, "B3": whole_job.measure, "B9": start.measure}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure; one JSON line per figure.")
    parser.add_argument("figures", nargs="*", help=f"which of {', '.join(FIGURES)}; all by default")
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append", help="both by default")
    asked = parser.parse_args()
    unknown = set(asked.figures) - set(FIGURES)
    if unknown:
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    for database in asked.database or ("sqlite", "postgres"):
        for name in asked.figures or FIGURES:
            with tempfile.TemporaryDirectory() as folder, database_of(database, Path(folder)) as url:
                for figures in FIGURES[name](url, Path(folder)):
                    show(name, database, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
