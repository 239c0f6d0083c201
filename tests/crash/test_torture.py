"""Hours instead of a minute: something happens at every point, in any order, many times, under load.

``make torture`` does it 40 times; ``make torture ARGS="--torture 3 -k sqlite"`` does it three times, on SQLite alone.
"""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from tests.crash.case import OBEYED_WITHIN_S
from tests.crash.conftest import Site
from tests.crash.installation import LEASE_S, Installation
from tests.crash.load import Load, under_load
from tests.crash.points import POINTS, Point, Step, Talk
from tests.crash.reckoning import reckon
from tests.crash.switch import Action, Order

#: Where a process freezes at times instead of dying. Not in a transaction: everybody would wait for its locks.
FREEZABLE_STEPS = frozenset(
    {Step.ADVANCE_JOB, Step.CLAIM_TURN, Step.ASK_MODEL, Step.RUN_CALL, Step.CLAIM_CALL, Step.RUN_TOOL}
)
FREEZES = 0.25  # of the times


@pytest.mark.torture
def test_processes_die_and_freeze_at_every_point_in_any_order(
    site: Site, rounds: int, say: Callable[[str], None]
) -> None:
    seed = random.randrange(1_000_000)
    chance, kind = random.Random(seed), "SQLite" if site.installation.is_sqlite else "PostgreSQL"
    say(f"{kind}, {rounds} rounds, seed {seed}")
    for number in range(1, rounds + 1):
        began_s, deaths = time.monotonic(), len(site.installation.deaths)
        with under_load(site.people, *Talk.plain()) as load:
            missed = sum(not _happens(site.installation, point, load, chance) for point in _shuffled(chance))
            load.stop()
        reckon(site.installation, site.people, load.jobs)
        say(
            f"{kind} round {number} of {rounds}: {len(site.installation.deaths) - deaths} deaths, {missed} points not "
            f"met, {len(load.jobs)} jobs as promised, {time.monotonic() - began_s:.0f} s"
        )


def _shuffled(chance: random.Random) -> list[Point]:
    return chance.sample(POINTS, len(POINTS))


def _happens(installation: Installation, point: Point, load: Load, chance: random.Random) -> bool:
    """Something has happened at the point; False when nobody came by so often."""
    may_freeze = point.step in FREEZABLE_STEPS
    action = Action.FREEZE if may_freeze and chance.random() < FREEZES else Action.KILL
    orders = [Order(point.number, action, chance.randrange(3))]
    if point.follows is not None:
        orders.insert(0, Order(point.follows))
    installation.switch.give(*orders)
    deadline_s = time.monotonic() + OBEYED_WITHIN_S
    while len(installation.switch.obeyed()) < len(orders) and time.monotonic() < deadline_s and not load.failures:
        time.sleep(0.02)
    installation.switch.withdraw()
    for obeyed in installation.switch.obeyed():
        if obeyed.action is Action.FREEZE:
            time.sleep(chance.uniform(0.0, 2 * LEASE_S))
            os.kill(obeyed.pid, signal.SIGCONT)
    time.sleep(chance.uniform(0.0, 1.0))
    return len(installation.switch.obeyed()) == len(orders)
