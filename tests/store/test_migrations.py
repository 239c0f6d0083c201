"""The revisions bring a database with rows in it up, and down again."""

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from gateway.store import migrate, schema
from gateway.store.session import Database
from tests.factories import answer_turn, call, make_gateway, submit
from tests.fakes import RecordingTool

FIRST = "2026_11_21_initial"


def shape(database: Database) -> dict[str, tuple[list[str], list[str]]]:
    """The columns and indexes of each of our tables."""
    inspector = inspect(database.engine)
    return {
        table: (
            sorted(column["name"] for column in inspector.get_columns(table)),
            sorted(str(index["name"]) for index in inspector.get_indexes(table)),
        )
        for table in sorted(inspector.get_table_names())
    }


def move(database: Database, revision: str) -> None:
    config: Config = migrate._config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if revision == FIRST else command.upgrade)(config, revision)


def test_the_newest_revision_is_the_one_that_serving_asks_for() -> None:
    assert ScriptDirectory.from_config(migrate._config()).get_heads() == [schema.NEWEST_REVISION]


def test_rows_survive_the_way_down_and_up(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(expires_after_s=600))
    job = submit(gateway, deadline_s=60).job
    [approval] = answer_turn(gateway, job.id, call("send", '{"amount": 249.00}'))
    newest = shape(database)

    move(database, FIRST)
    first = shape(database)
    assert "deadline_at" not in first["jobs"][0]
    with pytest.raises(Exception, match="needs"):
        schema.check_current(database)
    migrate.upgrade(database)

    assert shape(database) == newest != first
    schema.check_current(database)
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT id, details, expires_at IS NULL FROM approvals")).all()
    assert [tuple(row) for row in rows] == [(approval.id, '{"amount": 249.00}', False)]


def test_work_goes_on_after_the_way_up(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway).job
    move(database, FIRST)
    migrate.upgrade(database)

    [approval] = answer_turn(gateway, job.id, call("send"))

    assert approval.status == "pending"
