"""People, their passwords and tokens, app keys, and finding out who is asking."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError

from gateway.domain.permission import Actor, AppActor, PersonActor, Role, Scope, may_decide
from gateway.errors import BadSignIn, InvalidRequest, NotAllowed, NotFound, Unauthenticated
from gateway.store import accounts
from gateway.store.session import Session, announce
from gateway.store.tables import Key, Person, SignIn, Token
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_id

KEY_PREFIX, TOKEN_PREFIX = "cs_app_", "cs_pat_"
MIN_PASSWORD_LENGTH = 8
_PUBLIC_ID = re.compile("[0-9a-f]{12}")
SEEN_EVERY = timedelta(minutes=5)  # a sign-in's last use is written no more often than this

_passwords = PasswordHash.recommended()
# Checked when nobody has the given e-mail, so that the answer takes as long as for somebody.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$1v3Rw7kJ9T8n3vJ4xqf0Q0YyqzJ1l9v7mCzjvCw4r2s"


def create_person(gateway: Gateway, *, email: str, name: str | None, role: Role, password: str) -> Person:
    """A person who can sign in. Raises: InvalidRequest for a bad or taken e-mail, or a short password."""
    address = email.strip().lower()
    local, at, host = address.partition("@")
    if not (local and at and host) or any(character.isspace() for character in address):
        raise InvalidRequest(f"{email!r} is not an e-mail address.")
    _check_password(password)
    with gateway.database.write() as session:
        if accounts.find_person_by_email(session, address) is not None:
            raise InvalidRequest(f"There is already a person with the e-mail {address}.")
        person = Person(
            id=new_id("per"),
            email=address,
            name=(name or local).strip(),
            role=role,
            password_hash=_passwords.hash(password),
            created_at=gateway.database.now(session),
        )
        session.add(person)
        return person


def set_password(gateway: Gateway, *, email: str, password: str) -> Person:
    """The person signs in with this password from now on, and every browser is signed out. Raises: NotFound."""
    _check_password(password)
    with gateway.database.write() as session:
        person = _person(session, email)
        person.password_hash = _passwords.hash(password)
        accounts.delete_sign_ins_of(session, person.id)
        announce(session, accounts.CREDENTIALS_TOPIC)
        session.add(person)
        return person


def disable_person(gateway: Gateway, *, email: str) -> Person:
    """The person can do nothing any more, from the next request on. Raises: NotFound."""
    with gateway.database.write() as session:
        person = _person(session, email)
        person.disabled_at = person.disabled_at or gateway.database.now(session)
        accounts.delete_sign_ins_of(session, person.id)
        announce(session, accounts.CREDENTIALS_TOPIC)
        session.add(person)
        return person


def enable_person(gateway: Gateway, *, email: str) -> Person:
    """The person can sign in again, and their tokens that were not revoked are taken again. Raises: NotFound."""
    with gateway.database.write() as session:
        person = _person(session, email)
        person.disabled_at = None
        session.add(person)
        return person


def create_token(gateway: Gateway, *, email: str, token_id: str | None = None) -> str:
    """A personal access token, shown this once; with a ``token_id`` from ``new_token_id`` it is made only once.

    Raises: NotFound; InvalidRequest for a ``token_id`` that is none, or that was used.
    """
    if token_id is not None and not _PUBLIC_ID.fullmatch(token_id):
        raise InvalidRequest("Press the button again: this page's form was not complete.")
    with gateway.database.write() as session:
        person = _person(session, email)
        secret = secrets.token_urlsafe(32)
        now = gateway.database.now(session)
        made_id = token_id or new_token_id()
        token = Token(id=made_id, person_id=person.id, secret_sha256=_sha256(secret), created_at=now)
        if not accounts.add_token(session, token):
            raise InvalidRequest(f"The token {made_id} is made already and was shown once: revoke it if it is lost.")
        return f"{TOKEN_PREFIX}{made_id}_{secret}"


def new_token_id() -> str:
    """The id of a token that may be made: a form that holds it makes one token, however often it is sent."""
    return _public_id()


def create_key(gateway: Gateway, *, app: str, scopes: Iterable[Scope]) -> str:
    """An app key, shown this once. Raises: InvalidRequest for an app name that is not 1 to 64 plain characters."""
    if not app or len(app) > 64 or not all(character.isalnum() or character in "._-" for character in app):
        raise InvalidRequest("An app's name is 1 to 64 letters, digits, dots, hyphens or underscores.")
    secret = secrets.token_urlsafe(32)
    with gateway.database.write() as session:
        key = Key(
            id=_public_id(),
            app=app,
            scopes=",".join(sorted(scopes)),
            secret_sha256=_sha256(secret),
            created_at=gateway.database.now(session),
        )
        session.add(key)
        return f"{KEY_PREFIX}{key.id}_{secret}"


def revoke_token(gateway: Gateway, token_id: str) -> Person:
    """The token with this public id is not taken any more; gives who holds it. Raises: NotFound."""
    with gateway.database.write() as session:
        found = accounts.find_token(session, token_id)
        if found is None:
            raise NotFound("There is no token with this id: `countersign token list` shows them.")
        token, person = found
        accounts.disable_token(session, token.id, gateway.database.now(session))
        announce(session, accounts.CREDENTIALS_TOPIC)
        return person


def revoke_key(gateway: Gateway, key_id: str) -> Key:
    """The key with this public id is not taken any more. Raises: NotFound."""
    with gateway.database.write() as session:
        key = accounts.find_key(session, key_id)
        if key is None:
            raise NotFound("There is no key with this id: `countersign key list` shows them.")
        accounts.disable_key(session, key.id, gateway.database.now(session))
        announce(session, accounts.CREDENTIALS_TOPIC)
        return key


def authenticate(session: Session, credential: str) -> Actor:
    """Who holds this app key or personal token. Raises: Unauthenticated."""
    for prefix, find in ((KEY_PREFIX, _app_of), (TOKEN_PREFIX, _holder_of)):
        if credential.startswith(prefix):
            public_id, _, secret = credential.removeprefix(prefix).partition("_")
            actor = find(session, public_id, _sha256(secret))
            if actor is not None:
                return actor
    raise Unauthenticated


def check_password(gateway: Gateway, *, email: str, password: str) -> tuple[Person, str | None]:
    """The active person with this e-mail and password, and a better hash of it if there is one. Raises: BadSignIn."""
    with gateway.database.read() as session:
        person = accounts.find_person_by_email(session, email)
    is_right, better_hash = _verify(password, person.password_hash if person else None)
    if person is None or not is_right or person.disabled_at is not None:
        raise BadSignIn
    return person, better_hash


def sign_in(gateway: Gateway, *, email: str, password: str) -> str:
    """The secret of a new signed-in browser. Raises: BadSignIn, the same for every reason."""
    person, better_hash = check_password(gateway, email=email, password=password)
    secret = secrets.token_urlsafe(32)
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        if better_hash and (stored := accounts.find_person(session, person.id)):
            stored.password_hash = better_hash
            session.add(stored)
        expires_at = now + timedelta(seconds=gateway.policy.sign_in_max_s)
        session.add(
            SignIn(
                secret_sha256=_sha256(secret), person_id=person.id, created_at=now, seen_at=now, expires_at=expires_at
            )
        )
    return secret


def sign_out(gateway: Gateway, secret: str) -> None:
    """The browser with this secret is signed out."""
    with gateway.database.write() as session:
        accounts.delete_sign_in(session, _sha256(secret))


def signed_in(gateway: Gateway, secret: str) -> PersonActor | None:
    """Who signed in with this browser; None when that is over."""
    with gateway.database.glance() as session:
        found = accounts.find_sign_in(session, _sha256(secret))
        now = gateway.database.now(session)
    if found is None:
        return None
    row, person = found
    idle_since = now - timedelta(seconds=gateway.policy.sign_in_idle_s)
    if person.disabled_at is not None or row.expires_at <= now or row.seen_at <= idle_since:
        return None
    if now - row.seen_at > SEEN_EVERY:
        with gateway.database.write() as session:
            accounts.touch_sign_in(session, row.secret_sha256, now)
    return _actor(person)


def forget_old_sign_ins(gateway: Gateway) -> None:
    """Sign-ins that have run out are deleted."""
    with gateway.database.write() as session:
        accounts.delete_expired_sign_ins(session, gateway.database.now(session))


def check_may_decide(session: Session, person: PersonActor) -> PersonActor:
    """The person as they are in this transaction: a role that was taken away counts at once. Raises: NotAllowed."""
    row = accounts.read_person(session, person.id)
    if row is None or row.disabled_at is not None or not may_decide(Role(row.role)):
        raise NotAllowed("Only a reviewer or an admin may decide.")
    return _actor(row)


def _actor(person: Person) -> PersonActor:
    return PersonActor(id=person.id, email=person.email, name=person.name, role=Role(person.role))


def _app_of(session: Session, key_id: str, secret_sha256: str) -> Actor | None:
    key = accounts.find_key(session, key_id)
    if key is None or key.disabled_at is not None or not hmac.compare_digest(key.secret_sha256, secret_sha256):
        return None
    return AppActor(app=key.app, key_id=key.id, scopes=frozenset(Scope(scope) for scope in key.scopes.split(",")))


def _holder_of(session: Session, token_id: str, secret_sha256: str) -> Actor | None:
    found = accounts.find_token(session, token_id)
    if found is None:
        return None
    token, person = found
    if token.disabled_at is not None or person.disabled_at is not None:
        return None
    return _actor(person) if hmac.compare_digest(token.secret_sha256, secret_sha256) else None


def _verify(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    try:
        is_right, better_hash = _passwords.verify_and_update(password, password_hash or _NOBODY)
    except PwdlibError:
        return False, None
    return is_right and password_hash is not None, better_hash


def _check_password(password: str) -> None:
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidRequest(f"A password has at least {MIN_PASSWORD_LENGTH} characters.")


def _person(session: Session, email: str) -> Person:
    person = accounts.find_person_by_email(session, email)
    if person is None:
        raise NotFound(f"There is no person with the e-mail {email}.")
    return person


def _public_id() -> str:
    return secrets.token_hex(6)


def _sha256(text: str) -> str:
    # A random secret of 256 bits needs no slow hash: it cannot be guessed from a leaked one.
    return hashlib.sha256(text.encode()).hexdigest()
