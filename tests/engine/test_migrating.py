"""DBOS's tables come by our migration command, beside ours."""

from pathlib import Path

from sqlalchemy import inspect

from gateway.engine.engine import DBOS_TABLES, migrate_engine
from gateway.store.migrate import upgrade
from gateway.store.session import Database


def test_migrating_again_changes_nothing(database: Database) -> None:
    before = _columns(database)
    migrate_engine(database)
    assert _columns(database) == before


def test_tables_on_sqlite_are_the_listed_ones(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/countersign.db")
    migrate_engine(database)
    assert set(inspect(database.engine).get_table_names()) == DBOS_TABLES
    database.dispose()


def test_tables_on_postgres_have_their_own_schema(empty_postgres_url: str) -> None:
    database = Database(empty_postgres_url)
    migrate_engine(database)
    assert set(inspect(database.engine).get_table_names("dbos")) >= DBOS_TABLES
    assert inspect(database.engine).get_table_names() == []
    database.dispose()


def test_order_of_the_two_migrations_does_not_matter(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/countersign.db")
    migrate_engine(database)
    upgrade(database)
    migrate_engine(database)
    upgrade(database)
    assert set(inspect(database.engine).get_table_names()) > DBOS_TABLES
    database.dispose()


def _columns(database: Database) -> dict[str, list[str]]:
    schema = None if database.is_sqlite else "dbos"
    inspector = inspect(database.engine)
    return {
        table: [column["name"] for column in inspector.get_columns(table, schema)]
        for table in sorted(inspector.get_table_names(schema))
    }
