"""People, their tokens and sign-ins, and the keys of apps."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, or_
from sqlalchemy import select as sql_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, delete, select, update

from gateway.domain.permission import Role, may_decide
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Key, Person, SignIn, Token

#: Announced when a credential may have ended: whoever streams looks again whether theirs still holds.
CREDENTIALS_TOPIC = "credentials"

_KEYS, _PEOPLE, _TOKENS, _SIGN_INS = Rows(Key), Rows(Person), Rows(Token), Rows(SignIn)

# Asked with every request.
_KEY = Prepared(sql_select(*_KEYS.columns).where(_KEYS.table.c.id == bindparam("key_id")))
_PERSON = Prepared(sql_select(*_PEOPLE.columns).where(_PEOPLE.table.c.id == bindparam("person_id")))
_DECIDERS = Prepared(
    sql_select(*_PEOPLE.columns)
    .where(
        or_(*(_PEOPLE.table.c.role == role.value for role in Role if may_decide(role))),
        _PEOPLE.table.c.disabled_at.is_(None),
    )
    .order_by(_PEOPLE.table.c.name, _PEOPLE.table.c.email)
)
_TOKEN = Prepared(sql_select(*_TOKENS.columns).where(_TOKENS.table.c.id == bindparam("token_id")))
_SIGN_IN = Prepared(
    sql_select(*_SIGN_INS.columns, *_PEOPLE.columns)
    .join(_PEOPLE.table, _PEOPLE.table.c.id == _SIGN_INS.table.c.person_id)
    .where(_SIGN_INS.table.c.secret_sha256 == bindparam("secret_sha256"))
)
_NEW_TOKEN = {
    "sqlite": sqlite.insert(_TOKENS.table).on_conflict_do_nothing().returning(_TOKENS.table.c.id),
    "postgresql": postgresql.insert(_TOKENS.table).on_conflict_do_nothing().returning(_TOKENS.table.c.id),
}
_REVOCATIONS = Prepared(
    sql_select(
        *(sql_select(func.count(rows.table.c.disabled_at)).scalar_subquery() for rows in (_KEYS, _TOKENS, _PEOPLE)),
        # Signing out deletes the row; whoever signs in meanwhile does not make up for it.
        sql_select(func.count()).select_from(_SIGN_INS.table).scalar_subquery(),
        sql_select(func.max(_SIGN_INS.table.c.created_at)).scalar_subquery(),
    )
)


def find_person(session: Session, person_id: str) -> Person | None:
    """The person as the database has them now."""
    return session.get(Person, person_id, populate_existing=True)


def find_person_by_email(session: Session, email: str) -> Person | None:
    return session.exec(select(Person).where(Person.email == email.strip().lower())).one_or_none()


def people(session: Session) -> Sequence[Person]:
    return session.exec(select(Person).order_by(col(Person.email))).all()


def read_person(session: Session, person_id: str) -> Person | None:
    """The person as the database has them now; changes to the object are not written."""
    found = _PERSON.row(session, person_id=person_id)
    return _PEOPLE.make(found) if found else None


def names(session: Session, person_ids: Collection[str]) -> dict[str, str]:
    """The names of these people by id, of disabled ones too."""
    if not person_ids:
        return {}
    return dict(session.exec(select(Person.id, Person.name).where(col(Person.id).in_(person_ids))).all())


def deciders(session: Session) -> Sequence[Person]:
    """The active people who may decide, by name."""
    return [_PEOPLE.make(values) for values in _DECIDERS.rows(session)]


def find_token(session: Session, token_id: str) -> tuple[Token, Person] | None:
    """The token and who holds it."""
    found = _TOKEN.row(session, token_id=token_id)
    if found is None:
        return None
    token = _TOKENS.make(found)
    person = read_person(session, token.person_id)
    return (token, person) if person else None


def add_token(session: Session, token: Token) -> bool:
    """The token is kept; False when there is already one with this id."""
    values = token.model_dump()
    made = session.execute(_NEW_TOKEN[session.get_bind().dialect.name].values(values)).scalar_one_or_none()
    return made is not None


def find_key(session: Session, key_id: str) -> Key | None:
    found = _KEY.row(session, key_id=key_id)
    return _KEYS.make(found) if found else None


def keys(session: Session) -> Sequence[Key]:
    """Every key, revoked ones too, by app and age."""
    return session.exec(select(Key).order_by(col(Key.app), col(Key.created_at), col(Key.id))).all()


def tokens(session: Session) -> Sequence[tuple[Token, Person]]:
    """Every token with who holds it, revoked ones too, by e-mail and age."""
    found = select(Token, Person).join(Person, col(Person.id) == col(Token.person_id))
    return session.exec(found.order_by(col(Person.email), col(Token.created_at), col(Token.id))).all()


def tokens_of(session: Session, person_id: str) -> Sequence[Token]:
    """The person's tokens that are taken, the newest first."""
    mine = select(Token).where(Token.person_id == person_id, col(Token.disabled_at).is_(None))
    return session.exec(mine.order_by(col(Token.created_at).desc(), col(Token.id))).all()


def sign_ins_of(session: Session, person_id: str) -> Sequence[SignIn]:
    """The browsers that are signed in as this person, the last used one first."""
    return session.exec(select(SignIn).where(SignIn.person_id == person_id).order_by(col(SignIn.seen_at).desc())).all()


def disable_key(session: Session, key_id: str, now: datetime) -> None:
    """The key is disabled; one that is already keeps its time."""
    session.exec(update(Key).where(col(Key.id) == key_id, col(Key.disabled_at).is_(None)).values(disabled_at=now))


def disable_token(session: Session, token_id: str, now: datetime) -> None:
    """The token is disabled; one that is already keeps its time."""
    session.exec(
        update(Token).where(col(Token.id) == token_id, col(Token.disabled_at).is_(None)).values(disabled_at=now)
    )


def find_sign_in(session: Session, secret_sha256: str) -> tuple[SignIn, Person] | None:
    """The sign-in and who signed in; changes to the objects are not written."""
    found = _SIGN_IN.row(session, secret_sha256=secret_sha256)
    if found is None:
        return None
    of_sign_in = len(_SIGN_INS.columns)
    return _SIGN_INS.make(found[:of_sign_in]), _PEOPLE.make(found[of_sign_in:])


def touch_sign_in(session: Session, secret_sha256: str, now: datetime) -> None:
    session.exec(update(SignIn).where(col(SignIn.secret_sha256) == secret_sha256).values(seen_at=now))


def delete_sign_in(session: Session, secret_sha256: str) -> None:
    session.exec(delete(SignIn).where(col(SignIn.secret_sha256) == secret_sha256))


def delete_expired_sign_ins(session: Session, now: datetime) -> None:
    session.exec(delete(SignIn).where(col(SignIn.expires_at) <= now))


def delete_sign_ins_of(session: Session, person_id: str) -> None:
    session.exec(delete(SignIn).where(col(SignIn.person_id) == person_id))


def read_revocations(session: Session) -> tuple[object, ...] | None:
    """What is different as soon as a key, token, person or sign-in has ended."""
    return _REVOCATIONS.row(session)
