"""A million calls that wait, made of one: its rows are copied by SQL, so that they are what the product writes."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from benchmarks.installation import Installation, scripted_model, serving
from benchmarks.probe import Probe
from benchmarks.report import Progress
from gateway.store.session import Database

BATCH = 50_000
OURS = ("jobs", "turns", "messages", "approvals", "events")
THE_ENGINES = ("workflow_status", "workflow_input", "workflow_output")

# Nineteen digits are what both databases count with.
_FIRST = 10**18
_JOB = f"'job_0000000' || CAST({_FIRST} + n.i AS TEXT)"
_APPROVAL = f"'apr_0000000' || CAST({_FIRST} + n.i AS TEXT)"
# Some hours before the template, a millisecond after each other.
_EARLIER = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', t.created_at, '-' || ((20000000 - n.i) / 1000.0) || ' seconds') || '000'",
    "postgresql": "t.created_at - (20000000 - n.i) * interval '1 millisecond'",
}


@dataclass
class Waiting:
    """Calls that wait for a reviewer; all have the same arguments."""

    details_sha256: str
    template_job_id: str
    count: int = 0

    def approval_id(self, number: int) -> str:
        """The id of the ``number``-th of them, from 0."""
        return f"apr_0000000{_FIRST + number}"

    def job_id(self, number: int) -> str:
        return f"job_0000000{_FIRST + number}"


@contextlib.contextmanager
def one_waiting(ready: Installation, probe: Probe) -> Iterator[Waiting]:
    """One job has asked for one call of the probe; the scripted model goes on answering while the block runs."""
    (ready.folder / "tools.toml").write_text(probe.tools_file())
    with scripted_model(ready):
        with serving(ready), ready.client(ready.app_key) as app:
            job = app.post("/api/v1/jobs", json={"input": "one call"}).raise_for_status().json()
            while not (job := app.get(f"/api/v1/jobs/{job['id']}").json())["pending_approvals"]:
                time.sleep(0.02)
            approval = app.get(f"/api/v1/approvals/{job['pending_approvals'][0]}").json()
        yield Waiting(approval["details_sha256"], job["id"])


def fill(ready: Installation, waiting: Waiting, count: int) -> None:
    """So many calls wait, beside the one that they are copies of."""
    progress = Progress("waiting calls", count)
    database = Database(ready.database_url)
    with database.engine.connect() as connection:
        columns = _columns(connection)
    while waiting.count < count:
        upto = min(count, waiting.count + BATCH)
        with database.write() as session:
            for table in columns:
                _copy(session.connection(), table, columns[table], waiting, upto)
        waiting.count = upto
        if count > BATCH:
            progress.show(upto)
    if not database.is_sqlite:
        # As autovacuum does sooner or later.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    database.dispose()


def _columns(connection: Connection) -> dict[str, list[str]]:
    """The tables that a waiting job has rows in, and their columns."""
    schema = None if connection.dialect.name == "sqlite" else "dbos"
    found = {name: _names(connection, name, None) for name in OURS}
    for name in THE_ENGINES:
        found[f"{schema}.{name}" if schema else name] = _names(connection, name, schema)
    found["events"].remove("id")  # counts up by itself
    return found


def _names(connection: Connection, table: str, schema: str | None) -> list[str]:
    return [column["name"] for column in inspect(connection).get_columns(table, schema=schema)]


def _copy(connection: Connection, table: str, columns: list[str], waiting: Waiting, upto: int) -> None:
    values = [_value(connection.dialect.name, table, column) for column in columns]
    of_the_engine = table.split(".")[-1] in THE_ENGINES
    key = "workflow_uuid" if of_the_engine else "id" if table == "jobs" else "job_id"
    names = ", ".join(f'"{column}"' for column in columns)
    statement = (
        f"INSERT INTO {table} ({names}) "  # noqa: S608 (nothing of it comes from outside)
        "WITH RECURSIVE n(i) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :upto) "
        f"SELECT {', '.join(values)} FROM n, {table} t WHERE t.{key} = :template"
    )
    template = f"job:{waiting.template_job_id}:adv:1" if of_the_engine else waiting.template_job_id
    parts = {"before": "job:", "behind": ":adv:1"} if of_the_engine else {}
    connection.execute(text(statement), {"first": waiting.count, "upto": upto, "template": template, **parts})


def _value(dialect: str, table: str, column: str) -> str:
    match table, column:
        case ("jobs", "id") | (_, "job_id"):
            return _JOB
        case ("approvals", "id"):
            return _APPROVAL
        case (_, "approval_id"):
            return f"CASE WHEN t.approval_id IS NULL THEN NULL ELSE {_APPROVAL} END"
        case (_, "workflow_uuid"):
            return f"CAST(:before AS TEXT) || {_JOB} || CAST(:behind AS TEXT)"
        case ("jobs" | "approvals", "created_at"):
            return _EARLIER[dialect]
        case _:
            return f't."{column}"'
