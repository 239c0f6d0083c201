"""Whatever all actors do, in whatever order: it ends as the contract says, on both databases.

``COUNTERSIGN_TORTURE=1`` asks for the long form: many more runs of more steps,
and a failure is shrunk to its shortest form. That takes longer than the time
after which pytest takes a test for hung: give it ``-o faulthandler_timeout=0``.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.statemachine.machine import GatewayMachine
from tests.statemachine.world import world_on

IS_TORTURE = os.environ.get("COUNTERSIGN_TORTURE", "") not in ("", "0")
STEPS = 100 if IS_TORTURE else 40
#: In parts, so that they are shared out among the test processes.
SQLITE_PARTS, SQLITE_RUNS = 10, 2_000 if IS_TORTURE else 50
POSTGRES_PARTS, POSTGRES_RUNS = 2, 1_000 if IS_TORTURE else 25


def run_machine(url: str, runs: int) -> None:
    with world_on(url) as world:
        run_state_machine_as_test(
            lambda: GatewayMachine(world),  # type: ignore[arg-type]  # Hypothesis says: or a function that makes one
            settings=settings(
                max_examples=runs,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink] if IS_TORTURE else [Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize("part", range(SQLITE_PARTS))
def test_any_order_of_acts_ends_as_the_contract_says_on_sqlite(sqlite_url: str, part: int) -> None:
    run_machine(sqlite_url, SQLITE_RUNS)


@pytest.mark.parametrize("part", range(POSTGRES_PARTS))
def test_any_order_of_acts_ends_as_the_contract_says_on_postgresql(postgres_url: str, part: int) -> None:
    run_machine(postgres_url, POSTGRES_RUNS)
