"""What people do with their own account: their password, their tokens, the browsers they are signed in with."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.permission import PersonActor
from gateway.errors import BadSignIn, NotFound
from gateway.store import accounts as rows
from gateway.store.session import announce
from gateway.store.tables import SignIn, Token
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Account:
    """What somebody has here, the newest first; revoked tokens are left out."""

    tokens: Sequence[Token]
    sign_ins: Sequence[SignIn]
    this_sign_in: str | None  #: the hash of the one that asks


def read_account(gateway: Gateway, person: PersonActor, secret: str | None) -> Account:
    """The person's tokens, and the browsers that are signed in as them; ``secret`` is that of the one that asks."""
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        tokens = rows.tokens_of(session, person.id)
        sign_ins = [row for row in rows.sign_ins_of(session, person.id) if row.expires_at > now]
    return Account(tokens, sign_ins, _sha256(secret) if secret else None)


def change_password(gateway: Gateway, person: PersonActor, *, old: str, new: str) -> str:
    """The new password counts and every other browser is signed out; gives the secret of this one's new sign-in.

    Raises: BadSignIn when the old password is wrong; InvalidRequest for a new one that is too short.
    """
    try:
        accounts.check_password(gateway, email=person.email, password=old)
    except BadSignIn:
        raise BadSignIn("This is not your password.") from None
    accounts.set_password(gateway, email=person.email, password=new)
    return accounts.sign_in(gateway, email=person.email, password=new)


def revoke_own_token(gateway: Gateway, person: PersonActor, token_id: str) -> None:
    """The person's token is not taken any more. Raises: NotFound for one that is not theirs."""
    with gateway.database.write() as session:
        found = rows.find_token(session, token_id)
        if found is None or found[1].id != person.id:
            raise NotFound("You have no token with this id.")
        rows.disable_token(session, token_id, gateway.database.now(session))
        announce(session, rows.CREDENTIALS_TOPIC)


def end_sign_in(gateway: Gateway, person: PersonActor, secret_sha256: str) -> None:
    """The browser with this sign-in is signed out. Raises: NotFound for one that is not the person's."""
    with gateway.database.write() as session:
        if secret_sha256 not in {row.secret_sha256 for row in rows.sign_ins_of(session, person.id)}:
            raise NotFound("You are not signed in there any more.")
        rows.delete_sign_in(session, secret_sha256)
        announce(session, rows.CREDENTIALS_TOPIC)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
