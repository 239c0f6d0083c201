"""``countersign user``, ``token`` and ``key``: a secret goes alone to standard output, where scripts catch it."""

import secrets
import sys

import typer

from gateway.cli.opening import opened_records
from gateway.domain.permission import Role, Scope
from gateway.store import accounts as rows
from gateway.usecases import accounts

RANDOM_PASSWORD_BYTES = 12


def create_user(email: str, role: Role, name: str | None, *, password_is_piped: bool) -> None:
    """The person can sign in. Raises: InvalidRequest."""
    with opened_records() as gateway:
        password, is_random = _password(is_piped=password_is_piped)
        person = accounts.create_person(gateway, email=email, name=name, role=role, password=password)
    _explain(f"Created {person.email}, {role}." + (" The password, shown this once:" if is_random else ""))
    if is_random:
        typer.echo(password)


def set_password(email: str, *, password_is_piped: bool) -> None:
    """The person signs in with another password from now on. Raises: NotFound, InvalidRequest."""
    with opened_records() as gateway:
        password, is_random = _password(is_piped=password_is_piped)
        person = accounts.set_password(gateway, email=email, password=password)
    _explain(f"Changed the password of {person.email}" + (". The new one, shown this once:" if is_random else "."))
    if is_random:
        typer.echo(password)


def list_users() -> None:
    """Prints one line per person, in columns on a terminal and with tabs elsewhere."""
    with opened_records() as gateway, gateway.database.read() as session:
        people = rows.people(session)
    lines = [[one.email, one.name, one.role, "disabled" if one.disabled_at else "active"] for one in people]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        in_columns = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        typer.echo(in_columns if sys.stdout.isatty() else "\t".join(line))


def disable_user(email: str) -> None:
    """The person can do nothing any more. Raises: NotFound."""
    with opened_records() as gateway:
        person = accounts.disable_person(gateway, email=email)
    _explain(f"Disabled {person.email}: signed out, and no token of theirs is taken any more.")


def create_token(email: str) -> None:
    """Prints a personal access token. Raises: NotFound."""
    with opened_records() as gateway:
        token = accounts.create_token(gateway, email=email)
    _explain(f"A token for {email}, shown this once:")
    typer.echo(token)


def create_key(app: str, scopes: frozenset[Scope]) -> None:
    """Prints an app key. Raises: InvalidRequest."""
    with opened_records() as gateway:
        key = accounts.create_key(gateway, app=app, scopes=scopes)
    _explain(f"A key for {app} ({', '.join(sorted(scopes))}), shown this once:")
    typer.echo(key)


def random_password() -> str:
    return secrets.token_urlsafe(RANDOM_PASSWORD_BYTES)


def _password(*, is_piped: bool) -> tuple[str, bool]:
    """The password, and whether it was made up here."""
    if is_piped:
        return sys.stdin.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True), False
    return random_password(), True


def _explain(sentence: str) -> None:
    typer.echo(sentence, err=True)
