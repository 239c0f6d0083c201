"""``countersign user``, ``token`` and ``key``: a secret goes alone to standard output, where scripts catch it."""

import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from gateway.cli.opening import opened_records
from gateway.domain.permission import Role, Scope
from gateway.store import accounts as rows
from gateway.store.tables import Person, Token
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
    """Prints one line per person."""
    with opened_records() as gateway, gateway.database.read() as session:
        people = rows.people(session)
    _print_lines([[one.email, one.name, one.role, "disabled" if one.disabled_at else "active"] for one in people])


def disable_user(email: str) -> None:
    """The person can do nothing any more. Raises: NotFound."""
    with opened_records() as gateway:
        person = accounts.disable_person(gateway, email=email)
    _explain(f"Disabled {person.email}: signed out, and no token of theirs is taken any more.")


def enable_user(email: str) -> None:
    """The person can do again what their role allows. Raises: NotFound."""
    with opened_records() as gateway:
        person = accounts.enable_person(gateway, email=email)
        with gateway.database.read() as session:
            tokens = [token for token, holder in rows.tokens(session) if holder.id == person.id]
    count = sum(token.disabled_at is None for token in tokens)
    also = f", and {count} token{'' if count == 1 else 's'} of theirs can be used again" if count else ""
    _explain(f"Enabled {person.email}: signing in is possible again{also}.")


def create_token(email: str) -> None:
    """Prints a personal access token. Raises: NotFound."""
    with opened_records() as gateway:
        token = accounts.create_token(gateway, email=email)
    _explain(f"A token for {email}, shown this once:")
    typer.echo(token)


def list_tokens() -> None:
    """Prints one line per token; its secret is known to nobody but its holder."""
    with opened_records() as gateway, gateway.database.read() as session:
        tokens = rows.tokens(session)
    _print_lines(
        [
            [token.id, person.email, person.role, _moment(token.created_at), _state_of_token(token, person)]
            for token, person in tokens
        ]
    )


def revoke_token(token_id: str) -> None:
    """No request with the token is taken any more. Raises: NotFound."""
    with opened_records() as gateway:
        person = accounts.revoke_token(gateway, token_id)
    _explain(f"Revoked the token {token_id} of {person.email}: no request with it is taken any more.")


def create_key(app: str, scopes: frozenset[Scope]) -> None:
    """Prints an app key. Raises: InvalidRequest."""
    with opened_records() as gateway:
        key = accounts.create_key(gateway, app=app, scopes=scopes)
    _explain(f"A key for {app} ({', '.join(sorted(scopes))}), shown this once:")
    typer.echo(key)


def list_keys() -> None:
    """Prints one line per key; its secret is known to nobody but its app."""
    with opened_records() as gateway, gateway.database.read() as session:
        keys = rows.keys(session)
    _print_lines(
        [
            [key.id, key.app, key.scopes, _moment(key.created_at), "revoked" if key.disabled_at else "active"]
            for key in keys
        ]
    )


def revoke_key(key_id: str) -> None:
    """No request with the key is taken any more. Raises: NotFound."""
    with opened_records() as gateway:
        key = accounts.revoke_key(gateway, key_id)
    _explain(f"Revoked the key {key_id} of {key.app}: no request with it is taken any more.")


def random_password() -> str:
    return secrets.token_urlsafe(RANDOM_PASSWORD_BYTES)


def _password(*, is_piped: bool) -> tuple[str, bool]:
    """The password, and whether it was made up here."""
    if is_piped:
        return sys.stdin.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True), False
    return random_password(), True


def _print_lines(lines: Sequence[Sequence[str]]) -> None:
    """In columns on a terminal, with tabs elsewhere."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        in_columns = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        typer.echo(in_columns if sys.stdout.isatty() else "\t".join(line))


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _state_of_token(token: Token, person: Person) -> str:
    if token.disabled_at is not None:
        return "revoked"
    return "active" if person.disabled_at is None else "disabled"  # with its person


def _explain(sentence: str) -> None:
    typer.echo(sentence, err=True)
