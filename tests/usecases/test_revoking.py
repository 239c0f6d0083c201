"""Taking keys, tokens and people out of use, and telling whoever waits with one of them."""

from collections.abc import Callable

import pytest

from gateway.domain.permission import Actor, Role, Scope
from gateway.errors import NotFound, Unauthenticated
from gateway.store import accounts as rows
from gateway.store.session import Database
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from tests.factories import make_gateway, make_person


@pytest.fixture
def gateway(database: Database) -> Gateway:
    return make_gateway(database)


def authenticate(gateway: Gateway, credential: str) -> Actor:
    with gateway.database.glance() as session:
        return accounts.authenticate(session, credential)


def is_taken(gateway: Gateway, credential: str) -> bool:
    try:
        authenticate(gateway, credential)
    except Unauthenticated:
        return False
    return True


def public_id(credential: str) -> str:
    """``3f2a…`` of ``cs_app_3f2a…_secret``."""
    return credential.split("_")[2]


def test_revoked_key_is_not_taken_and_its_sister_is(gateway: Gateway):
    old, new = (accounts.create_key(gateway, app="shop", scopes=[Scope.READ]) for _ in range(2))

    revoked = accounts.revoke_key(gateway, public_id(old))

    assert (revoked.app, is_taken(gateway, old), is_taken(gateway, new)) == ("shop", False, True)


def test_revoked_token_is_not_taken_and_its_sister_is(gateway: Gateway):
    email = make_person(gateway).email
    old, new = (accounts.create_token(gateway, email=email) for _ in range(2))

    holder = accounts.revoke_token(gateway, public_id(old))

    assert (holder.email, is_taken(gateway, old), is_taken(gateway, new)) == (email, False, True)


def test_second_revocation_keeps_the_time_of_the_first(gateway: Gateway):
    key_id = public_id(accounts.create_key(gateway, app="shop", scopes=[Scope.READ]))
    token_id = public_id(accounts.create_token(gateway, email=make_person(gateway).email))
    times = []

    for _ in range(2):
        accounts.revoke_key(gateway, key_id)
        accounts.revoke_token(gateway, token_id)
        with gateway.database.read() as session:
            key, token = rows.find_key(session, key_id), rows.find_token(session, token_id)
        assert key is not None
        assert token is not None
        times.append((key.disabled_at, token[0].disabled_at))

    assert times[0] == times[1]
    assert None not in times[0]


@pytest.mark.parametrize("revoke", [accounts.revoke_key, accounts.revoke_token])
def test_unknown_id_is_not_found(gateway: Gateway, revoke: Callable[[Gateway, str], object]):
    with pytest.raises(NotFound, match="list` shows them"):
        revoke(gateway, "0" * 12)


def test_enabled_person_has_back_what_was_not_revoked(gateway: Gateway):
    person = make_person(gateway, role=Role.ADMIN)
    kept, revoked = (accounts.create_token(gateway, email=person.email) for _ in range(2))
    accounts.revoke_token(gateway, public_id(revoked))
    accounts.disable_person(gateway, email=person.email)
    assert not is_taken(gateway, kept)

    accounts.enable_person(gateway, email=person.email)

    assert authenticate(gateway, kept) == person
    assert not is_taken(gateway, revoked)


@pytest.mark.parametrize("way", ["revoke key", "revoke token", "disable person", "set password"])
def test_whoever_waits_with_a_credential_is_woken_when_some_are_taken_away(gateway: Gateway, way: str):
    email = make_person(gateway).email
    key_id = public_id(accounts.create_key(gateway, app="shop", scopes=[Scope.READ]))
    token_id = public_id(accounts.create_token(gateway, email=email))
    heard: list[str] = []

    with gateway.database.signals.listening([rows.CREDENTIALS_TOPIC], heard.append):
        match way:
            case "revoke key":
                accounts.revoke_key(gateway, key_id)
            case "revoke token":
                accounts.revoke_token(gateway, token_id)
            case "disable person":
                accounts.disable_person(gateway, email=email)
            case _:
                accounts.set_password(gateway, email=email, password="battery staple")

    assert heard == ["credentials"]
