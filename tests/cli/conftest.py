"""A folder with a migrated SQLite file at the default place, and the command line in it."""

from pathlib import Path

import pytest

from tests import databases
from tests.cli.commands import Commands, QuickCommands


@pytest.fixture
def empty(tmp_path: Path) -> Commands:
    """The command line in an empty folder."""
    return Commands(tmp_path)


@pytest.fixture
def cli(empty: Commands, sqlite_template: Path) -> Commands:
    """The command line in a folder whose database has the schema."""
    (empty.folder / "var").mkdir()
    databases.copy_sqlite(sqlite_template, empty.folder / "var" / "countersign.db")
    return empty


@pytest.fixture(params=["sqlite", "postgres"])
def any_cli(request: pytest.FixtureRequest, empty: Commands) -> Commands:
    """The command line with a migrated database: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        cli: Commands = request.getfixturevalue("cli")
        return cli
    empty.environment["COUNTERSIGN_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return empty


@pytest.fixture
def quick(cli: Commands) -> Commands:
    """The command line with a migrated database, inside this process."""
    return QuickCommands(cli.folder, cli.environment)


@pytest.fixture
def quick_empty(empty: Commands) -> Commands:
    """The command line in an empty folder, inside this process."""
    return QuickCommands(empty.folder, empty.environment)
