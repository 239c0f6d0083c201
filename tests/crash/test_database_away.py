"""PostgreSQL stops and comes back: nothing runs unapproved, everybody is told to wait, and work goes on."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests import databases
from tests.crash.conftest import Site
from tests.crash.installation import Installation, installed, until
from tests.crash.load import Load, under_load
from tests.crash.people import People
from tests.crash.points import Moment, Step, Talk
from tests.crash.reckoning import reckon, reckon_all
from tests.crash.server import Server, own_server

AWAY_S = 2.0
BACK_WITHIN_S = 5.0


@pytest.fixture
def server() -> Iterator[Server]:
    with own_server() as server:
        yield server


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Iterator[Site]:
    """An installation on a server that may be stopped."""
    with (
        databases.postgres_copy(server.url, None) as url,
        installed(url, tmp_path) as made,
        closing(People(made)) as people,
    ):
        yield Site(made, people)
        reckon_all(made, people)


def test_the_database_goes_away_twice_under_load(server: Server, site: Site) -> None:
    with under_load(site.people, Talk.LONG, Talk.PARALLEL) as load:
        for mode in ("fast", "immediate"):
            until(lambda: load.failures or _is_a_call_under_way(site.installation), 30, site.installation.said)
            back_s = _away(server, mode, AWAY_S, load)
            assert back_s < BACK_WITHIN_S

    reckon(site.installation, site.people, load.jobs)
    refused = site.people.app.unanswered + site.people.reviewer.unanswered
    assert refused
    assert [answer.text for answer in refused if not _says_when_to_come_again(answer)] == []


@pytest.mark.torture
def test_the_database_goes_away_again_and_again(
    server: Server, site: Site, rounds: int, say: Callable[[str], None]
) -> None:
    seed = random.randrange(1_000_000)
    chance, worst_s = random.Random(seed), 0.0
    say(f"{rounds} times without a database, seed {seed}")
    with under_load(site.people, *Talk.plain()) as load:
        for number in range(1, rounds + 1):
            time.sleep(chance.uniform(5.0, 40.0))
            away_s, mode = chance.uniform(0.0, 2.0), chance.choice(("fast", "immediate"))
            back_s = _away(server, mode, away_s, load)
            worst_s = max(worst_s, back_s)
            back = f"a job ended {back_s:.1f} s later"
            say(f"{number} of {rounds}: away for {away_s:.1f} s ({mode}), {back}, {len(load.jobs)} jobs")

    reckon(site.installation, site.people, load.jobs)
    assert worst_s < BACK_WITHIN_S


def _away(server: Server, mode: str, away_s: float, load: Load) -> float:
    """Seconds from the return of the database to the next job that ended."""
    server.stop(mode)
    time.sleep(away_s)
    server.start()
    back_at_s, ended = time.monotonic(), load.ended
    until(lambda: load.ended > ended or load.failures, 60)
    return time.monotonic() - back_at_s


def _is_a_call_under_way(installation: Installation) -> bool:
    """True when a tool was asked, and its answer has nowhere to go if the database stops now."""
    return installation.passed(Moment.BEFORE, Step.RUN_TOOL) > installation.passed(Moment.INSIDE, Step.RUN_TOOL)


def _says_when_to_come_again(answer: httpx2.Response) -> bool:
    return (
        answer.headers["content-type"] == "application/problem+json"
        and int(answer.headers["retry-after"]) > 0
        and answer.json()["code"] == "database_unavailable"
    )
