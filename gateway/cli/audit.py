"""``countersign audit verify``"""

import sys
import time

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from gateway.cli.opening import opened_records
from gateway.usecases import audit
from gateway.usecases.audit import Verification
from gateway.usecases.gateway import Gateway

SAY_EVERY_S = 5.0


def verify_log() -> int:
    """0 when every decision stands as it was written, else 1; prints which."""
    with opened_records() as gateway:
        found = _watched(gateway) if sys.stderr.isatty() else _narrated(gateway)
    if found.break_ is None:
        typer.echo(f"Intact: {found.count} decision{'' if found.count == 1 else 's'}, head {found.head_hash}")
        return 0
    typer.echo(f"Broken at decision {found.break_.seq}: {found.break_.reason}")
    return 1


def _watched(gateway: Gateway) -> Verification:
    columns = ("Checking", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        return audit.verify(gateway, lambda count, total: progress.update(task, completed=count, total=total))


def _narrated(gateway: Gateway) -> Verification:
    said_at_s = time.monotonic()

    def say(count: int, total: int) -> None:
        nonlocal said_at_s
        if time.monotonic() - said_at_s >= SAY_EVERY_S:
            said_at_s = time.monotonic()
            typer.echo(f"Checked {count} of {total} decisions", err=True)

    return audit.verify(gateway, say)
