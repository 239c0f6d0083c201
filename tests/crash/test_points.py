"""The points are where they should be: whoever renames a function of the gateway hears of it here."""

import pytest

from tests.crash import process
from tests.crash.case import journey
from tests.crash.conftest import Site
from tests.crash.people import Job
from tests.crash.points import POINTS, Moment, Step, Talk, get
from tests.crash.reckoning import reckon, runs_of
from tests.crash.replacing import replace
from tests.crash.switch import Order


def test_points_are_numbered_from_one() -> None:
    assert [point.number for point in POINTS] == list(range(1, len(POINTS) + 1))
    assert len({(point.moment, point.step) for point in POINTS}) == len(POINTS)


def test_every_step_has_points_and_every_commit_has_one_on_each_side() -> None:
    assert {point.step for point in POINTS} == set(Step)
    for step in process.USE_CASES | process.PARTS:
        assert get(Moment.BEFORE_COMMIT, step).number + 1 == get(Moment.AFTER_COMMIT, step).number


def test_a_function_that_is_not_there_any_more_is_missed() -> None:
    with pytest.raises(KeyError):
        replace("gateway.usecases.approvals.decide_everything", lambda original: original)


def test_without_interruption_every_point_is_passed_and_every_call_runs_once(site: Site) -> None:
    passed_before = site.installation.switch.passed()
    # Nobody comes by so often: meanwhile the reconciler queues everything again that moves, all the time.
    site.installation.switch.give(Order(get(Moment.AFTER_COMMIT, Step.REQUEUE).number, let_through=1_000_000))
    with journey(site.people, *Talk.plain()) as begun:
        pass
    site.installation.switch.withdraw()

    reckon(site.installation, site.people, begun.jobs)
    passed = site.installation.switch.passed() - passed_before
    assert [str(point) for point in POINTS if point.follows is None and not passed[point.number]] == []
    assert [flaw for job in begun.jobs for flaw in _not_once(site, job)] == []


def _not_once(site: Site, job: Job) -> list[str]:
    """The calls that were made more often than somebody asked, or are said to be in doubt without a reason."""
    runs = runs_of(site.installation)
    wrong = []
    for approval in site.people.approvals(job.id):
        times, attempts = len(runs.get(approval["id"], ())), (approval["execution"] or {}).get("attempt", 0)
        if times > attempts:
            wrong.append(f"{approval['action']} {approval['details']}: {times} times in {attempts} attempts")
    if job.talk is not Talk.DOUBTFUL and "resolve" in {row["verdict"] for row in site.people.decisions(job.id)}:
        wrong.append(f"{job.key}: in doubt")
    return wrong
