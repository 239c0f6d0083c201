"""Runs the revisions on the connection that it is handed, else on COUNTERSIGN_DATABASE_URL."""

import os

from alembic import context
from sqlalchemy import Connection

from gateway.store.session import Database
from gateway.store.tables import Job

metadata = Job.metadata  # all tables of the module that declares it


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=is_ours,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """False for the engine's tables, which share the database on SQLite and look after themselves."""
    return kind != "table" or name in metadata.tables


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    database = Database(os.environ.get("COUNTERSIGN_DATABASE_URL", "sqlite:///var/countersign.db"))
    with database.engine.begin() as own:
        run(own)
