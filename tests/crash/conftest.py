"""One installation per database for all tests of a test process: it has died many times before it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import databases
from tests.crash.installation import Installation, installation
from tests.crash.people import Job, People
from tests.crash.reckoning import reckon_all


@dataclass
class Site:
    """An installation and the people around it."""

    installation: Installation
    people: People


@pytest.fixture(scope="session")
def sqlite_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("sqlite")
    yield from _site(f"sqlite:///{folder}/countersign.db", folder)


@pytest.fixture(scope="session")
def postgres_site(postgres_server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("postgres")
    with databases.postgres_copy(postgres_server, None) as url:
        yield from _site(url, folder)


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest) -> Site:
    """The test runs once on SQLite, where one process does everything, and once on PostgreSQL with two workers."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


def _site(url: str, folder: Path) -> Iterator[Site]:
    with installation(url, folder) as made:
        people = People(made)
        yield Site(made, people)
        reckon_all(made, people)
        people.close()
