"""How DBOS is set up here: its names, its connections, its tables, its silence."""

import logging

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from dbos import error as dbos_errors
from sqlalchemy.exc import DBAPIError

from gateway.errors import DatabaseUnavailable, SchemaOutdated
from gateway.store.session import STALLED_AFTER_S, Database

# Written into every row of queued work: changing one strands what is queued.
APPLICATION = "countersign"
APPLICATION_VERSION = "1"  # DBOS's default is a hash of the code, which every edit would change
MODEL_QUEUE = "model"
TOOL_QUEUE = "tools"
ADVANCE = "advance_job"
RUN = "run_call"

POSTGRES_SCHEMA = "dbos"  # of its tables; on SQLite they have none
POSTGRES_POOL_SIZE = 8  # connections of DBOS's own: it keeps some for long, and must not queue behind requests
BACKGROUND_S = 0.1  # pace of DBOS threads that we have no use for; stopping waits for one beat of them

#: DBOS's tables on SQLite, where they share the file with ours; on PostgreSQL they have the schema ``dbos``.
DBOS_TABLES = frozenset(
    {
        "application_versions",
        "dbos_migrations",
        "notifications",
        "operation_outputs",
        "queues",
        "streams",
        "workflow_events",
        "workflow_events_history",
        "workflow_input",
        "workflow_output",
        "workflow_schedules",
        "workflow_status",
    }
)


def topic(queue: str) -> str:
    """What is announced when work was put on the queue."""
    return f"queue:{queue}"


def migrate_engine(database: Database) -> None:
    """DBOS's tables are in the database, as this version of DBOS needs them; run again it changes nothing.

    Raises: DatabaseUnavailable.
    """
    quieten()
    try:
        # By an engine of DBOS's own: its migration begins the transaction itself, which ours does too.
        DBOS.migrate(_url(database))
    except DBAPIError as error:
        raise DatabaseUnavailable from error


def check_engine(database: Database) -> None:
    """Raises: SchemaOutdated unless DBOS's tables are those that this version of DBOS needs; DatabaseUnavailable."""
    quieten()
    try:
        make_client(database, reads_only=True)._sys_db.verify_migrations()
    except dbos_errors.DBOSInitializationError as error:
        raise SchemaOutdated("The engine's tables are missing or old: run `countersign migrate`.") from error
    except DBAPIError as error:
        raise DatabaseUnavailable from error


def make_client(database: Database, *, reads_only: bool = False) -> DBOSClient:
    """A client on our own engine that has not connected yet."""
    engine = database.read_engine if reads_only and database.is_sqlite else database.engine
    return DBOSClient(
        system_database_engine=engine,
        serializer=DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )


def make_config(database: Database, executor_id: str) -> DBOSConfig:
    """What a worker launches DBOS with: neither telemetry nor a conductor, and no migration on the way."""
    config = DBOSConfig(
        name=APPLICATION,
        application_version=APPLICATION_VERSION,
        executor_id=executor_id,
        serializer=DBOSPortableJSONSerializer(),
        run_migrations=False,
        use_listen_notify=True,  # as migrated; may not be changed afterwards
        enable_otlp=False,
        log_level="WARNING",
        notification_listener_polling_interval_sec=BACKGROUND_S,
        notification_coalesce_sec=BACKGROUND_S,
    )
    if database.is_sqlite:
        # One engine for all, so that one lock puts all writers of the file in a row.
        config["system_database_engine"] = database.engine
    else:
        config["system_database_url"] = _url(database)
        config["sys_db_pool_size"] = POSTGRES_POOL_SIZE
        config["sys_db_idle_transaction_timeout_sec"] = STALLED_AFTER_S
    return config


def quieten() -> None:
    """DBOS says warnings and worse, to our logging; with a handler in place it adds none for the console."""
    library = logging.getLogger("dbos")
    if not library.handlers:
        library.addHandler(logging.NullHandler())
    library.setLevel(logging.WARNING)


def _url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)
