"""What most commands begin with: settings, logs, a gateway, and a schema that is the right one."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.cli.logs import configure_logs
from gateway.composition import open_gateway
from gateway.engine.engine import check_engine
from gateway.settings import Settings, find_unknown, read_settings
from gateway.store.schema import check_current
from gateway.store.session import Database
from gateway.tools.registry import ToolRegistry
from gateway.usecases.gateway import Gateway

logger = logging.getLogger(__name__)


def begin() -> Settings:
    """The settings of this process; its logs go where they belong. Raises: InvalidSetting."""
    settings = read_settings()
    configure_logs(settings.log_level)
    for unknown in find_unknown():
        logger.warning("%s: it changes nothing", unknown, extra={"event": "settings.unknown"})
    return settings


def find_local_modules() -> None:
    """Modules of the current folder can be imported, as COUNTERSIGN_TOOLS=mytools:registry expects it.

    Last in the row: a file here cannot stand in for an installed module.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)


@contextmanager
def opened_records() -> Iterator[Gateway]:
    """A gateway for commands that read and write rows: without tools, so that a broken tools file stops none of them.

    Raises: InvalidSetting, DatabaseUnavailable, SchemaOutdated.
    """
    gateway = open_gateway(begin(), ToolRegistry())
    try:
        check_current(gateway.database)
        yield gateway
    finally:
        gateway.database.dispose()


def check_schema(database: Database) -> None:
    """Both our tables and the engine's are those of this version. Raises: SchemaOutdated; DatabaseUnavailable."""
    check_current(database)
    check_engine(database)
