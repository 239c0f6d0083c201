"""One database of each kind for a whole module: every test makes jobs, people and apps of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from gateway.store.session import Database
from tests import databases


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        yield from _opened(databases.copy_sqlite(template, tmp_path_factory.mktemp("module") / "countersign.db"))
        return
    server: URL = request.getfixturevalue("postgres_server")
    with databases.postgres_copy(server, request.getfixturevalue("postgres_template")) as url:
        yield from _opened(url)


def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.dispose()
