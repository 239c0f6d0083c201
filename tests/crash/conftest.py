"""One installation per database for all tests of a test process: it has died many times before it ends."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import databases
from tests.crash.installation import Installation, installed
from tests.crash.people import People
from tests.crash.reckoning import reckon_all
from tests.crash.server import own_server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", type=int, metavar="ROUNDS", help="run the long crash tests too, with so many rounds")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "torture: takes minutes; runs with --torture alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("torture", default=None) is not None:
        return
    long = [item for item in items if item.get_closest_marker("torture")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often everything is done in the long tests."""
    return int(request.config.getoption("torture"))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line of progress at once."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")
            sys.stdout.flush()

    return say


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
def roomy_server(request: pytest.FixtureRequest) -> Iterator[URL]:
    """A server for this test process alone, unless the variable names one.

    The one that all test processes share has not enough connections for the installations of all of them.
    """
    if os.environ.get(databases.POSTGRES_VARIABLE):
        yield request.getfixturevalue("postgres_server")
        return
    with own_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_site(roomy_server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("postgres")
    with databases.postgres_copy(roomy_server, None) as url:
        yield from _site(url, folder)


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest) -> Site:
    """The test runs once on SQLite, where one process does everything, and once on PostgreSQL with two workers."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


def _site(url: str, folder: Path) -> Iterator[Site]:
    with installed(url, folder) as made, closing(People(made)) as people:
        yield Site(made, people)
        reckon_all(made, people)
