"""Bringing the schema up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

import migrations
from gateway.errors import DatabaseUnavailable, SchemaOutdated
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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return config
