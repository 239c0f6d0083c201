"""People, their tokens and sign-ins, and the keys of apps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, bindparam
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, delete, select, update

from gateway.store.tables import Key, Person, SignIn, Token

_KEYS: Table = Key.__table__  # type: ignore[attr-defined]
_PEOPLE: Table = Person.__table__  # type: ignore[attr-defined]
_TOKENS: Table = Token.__table__  # type: ignore[attr-defined]

# Asked with every request: built once.
_KEY = sql_select(_KEYS).where(_KEYS.c.id == bindparam("key_id"))
_PERSON = sql_select(_PEOPLE).where(_PEOPLE.c.id == bindparam("person_id"))
_TOKEN = (
    sql_select(_PEOPLE, _TOKENS.c.secret_sha256, _TOKENS.c.disabled_at.label("token_disabled_at"))
    .join(_TOKENS, _TOKENS.c.person_id == _PEOPLE.c.id)
    .where(_TOKENS.c.id == bindparam("token_id"))
)


def find_person(session: Session, person_id: str) -> Person | None:
    """The person as the database has them now."""
    return session.get(Person, person_id, populate_existing=True)


def find_person_by_email(session: Session, email: str) -> Person | None:
    return session.exec(select(Person).where(Person.email == email.strip().lower())).one_or_none()


def people(session: Session) -> Sequence[Person]:
    return session.exec(select(Person).order_by(col(Person.email))).all()


def read_person(session: Session, person_id: str) -> "Row[Any] | None":
    """The person's columns as the database has them now, without the cost of an entity."""
    return session.connection().execute(_PERSON, {"person_id": person_id}).one_or_none()


def find_token(session: Session, token_id: str) -> "Row[Any] | None":
    """The columns of the person with this token, and ``secret_sha256`` and ``token_disabled_at`` of the token."""
    return session.connection().execute(_TOKEN, {"token_id": token_id}).one_or_none()


def find_key(session: Session, key_id: str) -> "Row[Any] | None":
    """The key's columns: read for every request, so without the cost of an entity."""
    return session.connection().execute(_KEY, {"key_id": key_id}).one_or_none()


def find_sign_in(session: Session, secret_sha256: str) -> tuple[SignIn, Person] | None:
    row = session.exec(
        select(SignIn, Person)
        .where(SignIn.secret_sha256 == secret_sha256)
        .join(Person, col(Person.id) == col(SignIn.person_id))
    ).one_or_none()
    return (row[0], row[1]) if row else None


def touch_sign_in(session: Session, secret_sha256: str, now: datetime) -> None:
    session.exec(update(SignIn).where(col(SignIn.secret_sha256) == secret_sha256).values(seen_at=now))


def delete_sign_in(session: Session, secret_sha256: str) -> None:
    session.exec(delete(SignIn).where(col(SignIn.secret_sha256) == secret_sha256))


def delete_expired_sign_ins(session: Session, now: datetime) -> None:
    session.exec(delete(SignIn).where(col(SignIn.expires_at) <= now))


def delete_sign_ins_of(session: Session, person_id: str) -> None:
    session.exec(delete(SignIn).where(col(SignIn.person_id) == person_id))
