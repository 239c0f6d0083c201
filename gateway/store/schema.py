"""Refusing to work on a schema that is not this version's. Bringing it up to date is ``gateway.store.migrate``.

Apart from it, because Alembic takes a quarter of a second to import, and serving does without.
"""

import sqlite3

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from gateway.errors import DatabaseUnavailable, InvalidSetting, SchemaOutdated
from gateway.store.session import Database, driver_errors

#: The newest of ``migrations/versions``.
NEWEST_REVISION = "2026_12_04_deliveries"


def check_current(database: Database) -> None:
    """Raises: SchemaOutdated unless the schema is exactly the one of this version; otherwise as ``read_revision``."""
    found = read_revision(database)
    if found == NEWEST_REVISION:
        return
    if found is None:
        raise SchemaOutdated("The database has no schema yet: run `countersign migrate`.")
    needed = f"this version needs {NEWEST_REVISION}"
    raise SchemaOutdated(f"The database schema is {found}, {needed}: run `countersign migrate`.")


def read_revision(database: Database) -> str | None:
    """The revision of the database's schema; None when it has none.

    Raises: InvalidSetting for a file that is no database; DatabaseUnavailable when it is damaged or does not answer.
    """
    try:
        with driver_errors(), database.engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return found
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
            raise DatabaseUnavailable("The database cannot be read.") from error
        reason = "is not a SQLite database: move it away, or name another file in COUNTERSIGN_DATABASE_URL"
        raise InvalidSetting(f"{database.url.database} {reason}.") from error
