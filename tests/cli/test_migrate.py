"""``countersign migrate``, and the commands that refuse to work on an old schema."""

import sqlite3

import pytest

from tests.cli.commands import Commands


def test_new_database_is_migrated_once(empty: Commands):
    first = empty.done("migrate")
    second = empty.done("migrate")

    assert first == "sqlite:///var/countersign.db now has the schema of this version.\n"
    assert second == "sqlite:///var/countersign.db already has the schema of this version: nothing to do.\n"
    assert empty.done("audit", "verify").startswith("Intact: 0 decisions")


def test_postgres_is_migrated_once(quick_empty: Commands, empty_postgres_url: str):
    quick_empty.environment["COUNTERSIGN_DATABASE_URL"] = empty_postgres_url

    assert quick_empty.done("migrate").endswith("now has the schema of this version.\n")
    assert quick_empty.done("migrate").endswith("already has the schema of this version: nothing to do.\n")


@pytest.mark.parametrize("command", ["serve --port 0", "worker", "user list"])
def test_missing_schema_is_refused(quick_empty: Commands, command: str):
    code, said = quick_empty.refused(*command.split())

    assert code == 1
    assert said == "The database has no schema yet: run `countersign migrate`."


@pytest.mark.parametrize("command", ["serve --port 0", "worker"])
def test_old_schema_is_refused(cli: Commands, command: str):
    with sqlite3.connect(cli.folder / "var/countersign.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    database.close()

    code, said = cli.refused(*command.split())

    assert code == 1
    assert said.startswith("The database schema is older, this version needs ")
    assert said.endswith(": run `countersign migrate`.")


@pytest.mark.parametrize("command", ["serve --port 0", "worker"])
def test_missing_engine_tables_are_refused(cli: Commands, command: str):
    with sqlite3.connect(cli.folder / "var/countersign.db") as database:
        database.execute("DROP TABLE dbos_migrations")
    database.close()

    code, said = cli.refused(*command.split())

    assert code == 1
    assert "engine's tables" in said
    assert "run `countersign migrate`" in said


def test_schema_of_an_unknown_version_is_left_alone(quick: Commands):
    with sqlite3.connect(quick.folder / "var/countersign.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    database.close()

    code, said = quick.refused("migrate")

    assert code == 1
    assert "from_the_future" in said


def test_unreachable_database_is_one_sentence_with_the_reason(quick_empty: Commands):
    code, said = quick_empty.refused("migrate", COUNTERSIGN_DATABASE_URL="postgresql://user:s3cret@127.0.0.1:1/name")

    assert code == 1
    assert said.startswith("The database does not answer")
    assert "Connection refused" in said
    assert "s3cret" not in said


NO_DATABASES = {"text": b"Not a database, but long enough to be looked at as one.\n" * 20, "a few bytes": b"none"}


@pytest.mark.parametrize("command", ["migrate", "serve --port 0", "worker", "user list", "audit verify"])
@pytest.mark.parametrize("content", NO_DATABASES.values(), ids=NO_DATABASES)
def test_file_that_is_no_database_is_one_sentence_and_left_alone(quick_empty: Commands, command: str, content: bytes):
    (quick_empty.folder / "notes.db").write_bytes(content)

    code, said = quick_empty.refused(*command.split(), COUNTERSIGN_DATABASE_URL="sqlite:///notes.db")

    assert code == 2
    assert said.startswith("notes.db is not a SQLite database: ")
    assert (quick_empty.folder / "notes.db").read_bytes() == content


def test_damaged_database_is_one_sentence_with_the_reason(quick: Commands):
    path = quick.folder / "var/countersign.db"
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996  # the rest of the first page: where the tables are listed
    path.write_bytes(content)

    code, said = quick.refused("migrate")

    assert (code, said) == (1, "The database cannot be read. (database disk image is malformed)")
