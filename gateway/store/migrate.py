"""Bringing the schema up to date, and refusing to work on an old one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from gateway.errors import SchemaOutdated
from gateway.store.session import Database


def upgrade(database: Database) -> None:
    """The database has the schema of this version; one that already has it is left alone."""
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_current(database: Database) -> None:
    """Raises: SchemaOutdated unless the schema is exactly the one of this version."""
    with database.engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    if found == wanted:
        return
    if found is None:
        raise SchemaOutdated("The database has no schema yet: run `countersign migrate`.")
    raise SchemaOutdated(f"The database schema is {found}, this version needs {wanted}: run `countersign migrate`.")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return config
