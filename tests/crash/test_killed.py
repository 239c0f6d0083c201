"""A process is killed at every numbered point: every call is then done once, not done, or was shown as in doubt."""

import pytest

from tests.crash.case import kill_at
from tests.crash.conftest import Site
from tests.crash.points import POINTS, Point


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_every_job_ends_as_promised_when_a_process_is_killed(site: Site, point: Point) -> None:
    kill_at(site.installation, site.people, point)
