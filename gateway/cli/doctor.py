"""``countersign doctor``: one line per check, and what to do about those that fail. Secrets are never printed."""

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import typer

from gateway.cli.opening import begin
from gateway.cli.sentences import sentence
from gateway.cli.tools import load_tools
from gateway.composition import open_model, open_reviewers, open_webhooks, open_wording
from gateway.domain.turn import ModelTrouble
from gateway.engine.engine import check_engine
from gateway.errors import DatabaseUnavailable, GatewayError, InvalidSetting, InvalidTool
from gateway.settings import Settings, find_unknown
from gateway.store.schema import check_current, read_revision
from gateway.store.session import Database
from gateway.web.address import Site, is_loopback

OLDEST_PYTHON = (3, 11)
MODEL_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it. ``skip``: it could not be made."""

    check: str
    state: Literal["pass", "fail", "skip"]
    reason: str


def run_doctor() -> int:
    """0 when no check fails, else 1; prints each finding as soon as it is made."""
    has_failed = False
    for finding in _findings():
        has_failed = has_failed or finding.state == "fail"
        typer.echo(f"{finding.state}  {finding.check:<10}  {finding.reason}")
    return int(has_failed)


def _findings() -> Iterator[Finding]:
    yield _finding("python", _python)
    try:
        settings = begin()
    except GatewayError as error:
        yield Finding("settings", "fail", sentence(error))
        yield Finding("the rest", "skip", "needs the settings")
        return
    unknown = find_unknown()
    yield Finding("settings", "fail" if unknown else "pass", "; ".join(unknown) or "all can be used")
    database = _finding("database", lambda: _database(settings))
    yield database
    if database.state == "fail":
        yield Finding("schema", "skip", "needs the database")
        yield Finding("engine", "skip", "needs the database")
    else:
        yield _finding("schema", lambda: _schema(settings))
        yield _finding("engine", lambda: _engine(settings))
    yield _finding("tools", lambda: _tools(settings))
    yield _finding("wording", lambda: _wording(settings))
    yield _finding("model", lambda: _model(settings))
    yield _finding("public URL", lambda: _public_url(settings))
    yield _finding("callbacks", lambda: _callbacks(settings))
    yield _finding("reviewers", lambda: _reviewers(settings))


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "pass", check())
    except GatewayError as error:
        return Finding(name, "fail", sentence(error))
    except (ModelTrouble, OSError) as error:
        return Finding(name, "fail", " ".join(str(error).split()))


def _python() -> str:
    if sys.version_info < OLDEST_PYTHON:
        raise InvalidSetting(f"This is Python {platform.python_version()}: install 3.11 or newer.")
    return platform.python_version()


def _database(settings: Settings) -> str:
    with _opened(settings) as database:
        path = database.url.database
        if database.is_sqlite and path and not Path(path).exists():
            raise DatabaseUnavailable(f"{path} does not exist: run `countersign migrate`.")
        read_revision(database)  # opens the file: one that is no database is refused in a sentence
        with database.write() as session:
            session.connection()
        return f"{database.url.render_as_string()} can be written to"


def _schema(settings: Settings) -> str:
    with _opened(settings) as database:
        check_current(database)
    return "is the one of this version"


def _engine(settings: Settings) -> str:
    with _opened(settings) as database:
        check_engine(database)
    return "its tables are those of this version"


def _tools(settings: Settings) -> str:
    tools = load_tools(settings)
    if sentences := tools.missing_header_values():
        raise InvalidTool(" ".join(sentences))
    missing = "" if settings.tools_file.exists() else f" (there is no {settings.tools_file})"
    return f"{', '.join(tools.names())}{missing}"


def _wording(settings: Settings) -> str:
    open_wording(settings)
    return f"{settings.wording_file} can be used" if settings.wording_file else "the standard sentences"


def _model(settings: Settings) -> str:
    model = open_model(settings)
    try:
        model.check(MODEL_TIMEOUT_S)
    finally:
        model.close()
    # What stands before an @ may be a password.
    host = urlsplit(settings.mistral_server_url or "").netloc.rpartition("@")[2]
    return f"{host or 'Mistral'} answers and takes the key"


def _public_url(settings: Settings) -> str:
    if settings.public_url is None:
        return "not set: links use the address that `countersign serve` listens at"
    site = Site(settings.public_url, settings.allow_http)
    if refusal := site.refusal_of_sign_in(site.host):
        raise InvalidSetting(f"{site.public_url}: {refusal}")
    if site.is_secure:
        return f"{site.public_url}: the sign-in cookie is sent over https alone"
    if is_loopback(site.host):
        return f"{site.public_url}: reached from this machine alone"
    return f"{site.public_url}: passwords travel unprotected, as COUNTERSIGN_ALLOW_HTTP accepts"


def _callbacks(settings: Settings) -> str:
    open_webhooks(settings)
    allowed = f"to public addresses and {settings.callback_allow}" if settings.callback_allow else "to public addresses"
    if settings.webhook_secret is None:
        return f"{allowed}, not signed: receivers cannot tell who sent them (COUNTERSIGN_WEBHOOK_SECRET is not set)"
    secrets = len(settings.webhook_secret.get_secret_value().split())
    return f"{allowed}, signed" + (" with two secrets" if secrets > 1 else "")


def _reviewers(settings: Settings) -> str:
    reviewers = open_reviewers(settings)
    if reviewers is None:
        return "nobody is told of calls that wait (COUNTERSIGN_NOTIFY_URL is not set)"
    return "COUNTERSIGN_NOTIFY_URL can be used; nothing was sent"


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.dispose()
