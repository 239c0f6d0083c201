"""Each guard that is taken away is missed: what the tests here rely on is not luck."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import databases
from tests.crash import guards
from tests.crash.case import kill_at
from tests.crash.conftest import Site
from tests.crash.installation import installed
from tests.crash.people import People
from tests.crash.points import Moment, Step, get
from tests.crash.test_frozen import test_a_frozen_worker_loses_its_work_and_does_no_harm_when_it_goes_on as freeze_at
from tests.crash.test_points import test_without_interruption_every_point_is_passed_and_every_call_runs_once as run

pytestmark = pytest.mark.torture


@pytest.mark.parametrize(
    ("guard", "test", "missed"),
    [
        ("living_workers_keep_their_work", run, "in doubt|times in"),
        ("dead_workers_lose_their_work", lambda site: _kill_at(site, Moment.BEFORE, Step.ASK_MODEL), "is stuck"),
        ("a_call_that_was_held_up_is_not_sent", lambda site: freeze_at(site, Moment.BEFORE, Step.RUN_TOOL), "and did"),
        ("only_idempotent_tools_are_repeated", lambda site: _kill_at(site, Moment.INSIDE, Step.RUN_TOOL), "it ran 2"),
        ("a_key_submits_once", lambda site: _kill_at(site, Moment.AFTER, Step.SUBMIT), "was lost"),
    ],
)
def test_a_guard_that_is_taken_away_is_missed(
    guard: str, test: Callable[[Site], None], missed: str, roomy_server: URL, tmp_path: Path
) -> None:
    with (
        databases.postgres_copy(roomy_server, None) as url,
        installed(url, tmp_path, **{guards.VARIABLE: guard}) as made,
        closing(People(made)) as people,
        pytest.raises(AssertionError, match=missed),
    ):
        test(Site(made, people))


def _kill_at(site: Site, moment: Moment, step: Step) -> None:
    kill_at(site.installation, site.people, get(moment, step))
