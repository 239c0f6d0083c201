"""``countersign demo``: the whole product in one process, with a small shop, a scripted model and sample jobs.

It knows nothing that ``serve`` does not: the jobs go in over HTTP, and
whatever is approved runs through the same worker.
"""

import socket
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import typer

from gateway.app import create_app
from gateway.cli.accounts import random_password
from gateway.cli.lock import only_process
from gateway.cli.logs import configure_logs
from gateway.cli.migrate import migrate_database
from gateway.cli.opening import begin
from gateway.cli.serve import address_of, listen, serve_app, warn_of_plain_http
from gateway.cli.stopping import leave_running_calls
from gateway.demo.samples import submit_samples
from gateway.demo.script import demo_script
from gateway.demo.scripted_model import running
from gateway.demo.shop import open_shop
from gateway.demo.tools import shop_tools
from gateway.domain.permission import Role, Scope
from gateway.settings import Settings
from gateway.store import accounts as rows
from gateway.store.session import Database
from gateway.tools.builtin import create_default_registry
from gateway.tools.registry import ToolRegistry
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from gateway.web.address import Site

DATABASE, SHOP = Path("var/demo.db"), Path("var/demo_shop.db")
REVIEWER, AUDITOR, APP = "reviewer@example.com", "auditor@example.com", "demo"

_SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")

INTRODUCTION = """
Countersign is ready at {address}

  Sign in as {reviewer} with the password {password}
  ({auditor} has the same password and only reads.)
  {model}

Try:
  1. Approve the new e-mail address of account acc_9921: a few seconds later the shop has it, and the agent says so.
  2. Lower the refund for order ord_1042 before you approve it: the agent reports what was really paid.
  3. Reject the refund for order ord_1077 with a note: nothing is paid, and the agent explains why.

An app submits its own job like this:
  curl -s {address}/api/v1/jobs -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
-d '{{"input": "Change the email for account acc_9921 to user@new.com"}}'

Ctrl-C ends it. What was done is kept in {database}; --fresh starts over.
"""
SCRIPTED = "The model is scripted and needs no account. Set MISTRAL_API_KEY to ask Mistral's API instead."
REAL = "The model is {model} of Mistral's API, with your MISTRAL_API_KEY."


@dataclass(frozen=True, slots=True)
class _SignIn:
    password: str
    key: str


def run_demo(host: str, port: int, *, is_fresh: bool) -> None:
    """Serves until SIGTERM or Ctrl-C. Raises: InvalidSetting, DatabaseUnavailable."""
    settings = _demo_settings()
    with ExitStack() as ending:
        listener = ending.enter_context(closing(listen(host, port)))
        warn_of_plain_http(host, Site(address_of(listener), settings.allow_http))
        database = Database(settings.database_url)
        ending.enter_context(only_process(database))
        if is_fresh:
            _remove_files()
        migrate_database(database)
        database.dispose()
        if settings.mistral_api_key is None:
            model = ending.enter_context(running(demo_script()))
            settings = settings.model_copy(update={"mistral_server_url": model.url})
        _serve(settings, listener)
    leave_running_calls()


def _demo_settings() -> Settings:
    """The operator's settings, but with the demo's own database, address and, unless one is set, a quiet log."""
    settings = begin()
    if "log_level" not in settings.model_fields_set:
        configure_logs("WARNING")
    return settings.model_copy(update={"database_url": f"sqlite:///{DATABASE}", "public_url": None})


def _remove_files() -> None:
    for path in (DATABASE, SHOP):
        for suffix in _SQLITE_SUFFIXES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _serve(settings: Settings, listener: socket.socket) -> None:
    address = address_of(listener)
    app = create_app(settings, base_url=address, with_worker=True, registry=_registry())
    sign_in = _make_accounts(app.state.gateway)

    def introduce() -> None:
        # A thread of its own: the requests are answered by the one that calls this.
        given = (address, sign_in.key, demo_script().sample_prompts)
        threading.Thread(target=submit_samples, args=given, name="demo-samples", daemon=True).start()
        typer.echo(_introduction(settings, address, sign_in))

    serve_app(app, listener, on_ready=introduce)


def _registry() -> ToolRegistry:
    registry = create_default_registry()
    for tool in shop_tools(open_shop(SHOP)):
        registry.register(tool)
    return registry


def _make_accounts(gateway: Gateway) -> _SignIn:
    """Reviewer and auditor have a new password, and the demo's app a new key."""
    password = random_password()
    for email, role in ((REVIEWER, Role.REVIEWER), (AUDITOR, Role.AUDITOR)):
        with gateway.database.read() as session:
            is_known = rows.find_person_by_email(session, email) is not None
        if is_known:
            accounts.set_password(gateway, email=email, password=password)
        else:
            accounts.create_person(gateway, email=email, name=f"Demo {role}", role=role, password=password)
    return _SignIn(password, accounts.create_key(gateway, app=APP, scopes=frozenset(Scope)))


def _introduction(settings: Settings, address: str, sign_in: _SignIn) -> str:
    return INTRODUCTION.format(
        address=address,
        reviewer=REVIEWER,
        auditor=AUDITOR,
        password=sign_in.password,
        key=sign_in.key,
        model=SCRIPTED if settings.mistral_api_key is None else REAL.format(model=settings.model),
        database=DATABASE,
    ).strip()
