"""One installation per database for all acceptance tests: SQLite in one process, PostgreSQL with two workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import databases
from tests.acceptance.stack import Stack, running_stack


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        with running_stack(f"sqlite:///{folder}/countersign.db", folder, workers=0) as running:
            yield running
        return
    server: URL = request.getfixturevalue("postgres_server")
    with databases.postgres_copy(server, None) as url, running_stack(url, folder, workers=2) as running:
        yield running
