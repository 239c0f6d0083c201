"""Bringing the schema up to date, and refusing to work on an old one."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

import migrations
from gateway.errors import DatabaseUnavailable, InvalidSetting, SchemaOutdated
from gateway.store.session import Database, driver_errors


def upgrade(database: Database) -> None:
    """The database has the schema of this version; one that already has it is left alone.

    Raises: DatabaseUnavailable; SchemaOutdated when the database has the schema of another, newer version.
    """
    config = _config()
    try:
        with driver_errors(), database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise DatabaseUnavailable("The database refused to change its schema: nothing was changed.") from error
    except CommandError as error:
        raise SchemaOutdated(f"The database schema cannot be brought to this version: {error}") from error


def check_current(database: Database) -> None:
    """Raises: SchemaOutdated unless the schema is exactly the one of this version; otherwise as ``read_revision``."""
    found = read_revision(database)
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    if found == wanted:
        return
    if found is None:
        raise SchemaOutdated("The database has no schema yet: run `countersign migrate`.")
    raise SchemaOutdated(f"The database schema is {found}, this version needs {wanted}: run `countersign migrate`.")


def read_revision(database: Database) -> str | None:
    """The revision of the database's schema; None when it has none.

    Raises: InvalidSetting for a file that is no database; DatabaseUnavailable when it is damaged or does not answer.
    """
    try:
        with driver_errors(), database.engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
            raise DatabaseUnavailable("The database cannot be read.") from error
        reason = "is not a SQLite database: move it away, or name another file in COUNTERSIGN_DATABASE_URL"
        raise InvalidSetting(f"{database.url.database} {reason}.") from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return config
