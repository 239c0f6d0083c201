"""``countersign worker``"""

from contextlib import ExitStack

import typer

from gateway.cli.lock import only_process
from gateway.cli.memory import settle_memory
from gateway.cli.opening import begin, check_schema, find_local_modules
from gateway.cli.stopping import leave_running_calls, stop_request
from gateway.composition import open_gateway, start_worker
from gateway.store.listener import Listener


def run_worker() -> None:
    """Works until SIGTERM or Ctrl-C. Raises: InvalidSetting, InvalidTool, DatabaseUnavailable, SchemaOutdated."""
    settings = begin()
    find_local_modules()
    with stop_request() as stop, ExitStack() as ending:
        gateway = open_gateway(settings)
        ending.callback(gateway.database.dispose)
        ending.callback(gateway.tools.close)
        ending.enter_context(only_process(gateway.database))
        check_schema(gateway.database)
        listener = Listener(gateway.database)
        listener.start()
        ending.callback(listener.stop)
        start_worker(gateway, settings, ending)
        settle_memory()
        typer.echo(f"Working on {gateway.database.url.render_as_string()}")
        stop.wait()
    leave_running_calls()
