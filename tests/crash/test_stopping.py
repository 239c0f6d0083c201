"""A process that is told to end finishes what it can, and hands over the rest."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import databases
from tests.crash import counter
from tests.crash.case import Journey, await_obedience, journey
from tests.crash.conftest import Site
from tests.crash.installation import Seat, installed, until
from tests.crash.people import People
from tests.crash.points import Moment, Step, Talk, get
from tests.crash.reckoning import reckon
from tests.crash.switch import Order

STOPPED_WITHIN_S = 25.0
SENT_WITHIN_S = 30.0
# Contract, section 1: after the next start on SQLite, after the death on PostgreSQL.
RECOVERED_WITHIN_S = 2.0
TAKEN_OVER_WITHIN_S = 20.0


def test_a_call_under_way_is_finished_and_recorded_before_the_process_ends(site: Site) -> None:
    with journey(site.people, Talk.LENGTHY) as begun:
        seat = _running_the_call_of(site, begun)
        code = site.installation.stop(seat, STOPPED_WITHIN_S)
        site.installation.start(seat)

    reckon(site.installation, site.people, begun.jobs)
    assert code == 0
    assert _verdicts(site, begun) == ["approve"]


def test_a_call_that_takes_too_long_is_handed_over_as_in_doubt(site: Site) -> None:
    with journey(site.people, Talk.ENDLESS) as begun:
        seat = _running_the_call_of(site, begun)
        code = site.installation.stop(seat, STOPPED_WITHIN_S)
        site.installation.start(seat)

    reckon(site.installation, site.people, begun.jobs)
    assert code == 0
    assert _verdicts(site, begun) == ["approve", "resolve"]


def test_work_of_a_dead_process_goes_on_as_soon_as_the_next_one_is_ready(sqlite_site: Site) -> None:
    installation = sqlite_site.installation
    with journey(sqlite_site.people, Talk.BRIEF) as begun:
        installation.switch.give(Order(get(Moment.BEFORE, Step.ASK_MODEL).number))
        await_obedience(installation, begun, 1)
        resumed = installation.passed(Moment.BEFORE, Step.ADVANCE_JOB)
        installation.await_ready()
        installation.await_passage(Moment.BEFORE, Step.ADVANCE_JOB, resumed, RECOVERED_WITHIN_S)

    reckon(installation, sqlite_site.people, begun.jobs)


@pytest.mark.torture
def test_work_of_a_dead_worker_is_taken_over_in_time_with_the_settings_as_they_come(
    roomy_server: URL, tmp_path: Path, rounds: int, say: Callable[[str], None]
) -> None:
    worst_s = 0.0
    with (
        databases.postgres_copy(roomy_server, None) as url,
        installed(url, tmp_path, COUNTERSIGN_LEASE_S="15") as made,
        closing(People(made)) as people,
    ):
        for number in range(1, rounds // 4 + 1):
            made.switch.give(Order(get(Moment.BEFORE, Step.ASK_MODEL).number))
            with journey(people, Talk.BRIEF, within_s=TAKEN_OVER_WITHIN_S + 10) as begun:
                await_obedience(made, begun, 1)
                died_at_s, claimed = time.monotonic(), made.passed(Moment.AFTER_COMMIT, Step.CLAIM_TURN)
                made.await_passage(Moment.AFTER_COMMIT, Step.CLAIM_TURN, claimed, TAKEN_OVER_WITHIN_S)
                took_s = time.monotonic() - died_at_s
            worst_s = max(worst_s, took_s)
            say(f"take-over {number}: {took_s:.1f} s")
            reckon(made, people, begun.jobs)
    assert worst_s < TAKEN_OVER_WITHIN_S


def _running_the_call_of(site: Site, begun: Journey) -> Seat:
    """The process that has sent the only call of the journey, and waits for its answer."""
    [job] = begun.jobs
    until(
        lambda: any(run.key in _calls(site, job.id) for run in counter.runs(site.installation.runs_file)),
        SENT_WITHIN_S,
        lambda: f"{site.people.approvals(job.id) if job.id else job}\n{site.installation.said()}",
    )
    pid = site.installation.switch.last_at(get(Moment.BEFORE, Step.RUN_TOOL).number)
    [seat] = [seat for seat in site.installation.workers if seat.pid == pid]
    return seat


def _calls(site: Site, job_id: str) -> set[str]:
    return {approval["id"] for approval in site.people.approvals(job_id)} if job_id else set()


def _verdicts(site: Site, begun: Journey) -> list[str]:
    [job] = begun.jobs
    return [row["verdict"] for row in site.people.decisions(job.id)]
