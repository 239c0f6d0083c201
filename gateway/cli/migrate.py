"""``countersign migrate``"""

import typer

from gateway.cli.opening import begin, check_schema
from gateway.engine.engine import migrate_engine
from gateway.errors import SchemaOutdated
from gateway.store.migrate import upgrade
from gateway.store.session import Database


def run_migrate() -> None:
    """The database has this version's schema and the engine's; says whether anything was done.

    Raises: InvalidSetting, DatabaseUnavailable, SchemaOutdated.
    """
    database = Database(begin().database_url)
    try:
        name = database.url.render_as_string()
        if migrate_database(database):
            typer.echo(f"{name} now has the schema of this version.")
        else:
            typer.echo(f"{name} already has the schema of this version: nothing to do.")
    finally:
        database.dispose()


def migrate_database(database: Database) -> bool:
    """True when there was something to do. Raises: DatabaseUnavailable, SchemaOutdated."""
    try:
        check_schema(database)
    except SchemaOutdated:
        upgrade(database)
        migrate_engine(database)
        return True
    return False
