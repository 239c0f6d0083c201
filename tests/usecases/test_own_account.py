"""What people do with their own account, and cannot do with anybody else's."""

import pytest

from gateway.domain.permission import Role
from gateway.errors import BadSignIn, InvalidRequest, NotFound, Unauthenticated
from gateway.usecases import accounts, own_account
from tests.factories import make_gateway, make_person, sign_in

EMAIL, PASSWORD = "rita@example.com", "correct horse battery"


@pytest.fixture
def gateway(sqlite_database):
    return make_gateway(sqlite_database)


def actor_of(gateway, secret):
    actor = accounts.signed_in(gateway, secret)
    assert actor
    return actor


def test_new_password_counts_and_ends_every_other_sign_in(gateway):
    accounts.create_person(gateway, email=EMAIL, name=None, role=Role.AUDITOR, password=PASSWORD)
    here, there = (accounts.sign_in(gateway, email=EMAIL, password=PASSWORD) for _ in range(2))
    rita = actor_of(gateway, here)

    with pytest.raises(BadSignIn, match="not your password"):
        own_account.change_password(gateway, rita, old="wrong", new="another password")
    with pytest.raises(InvalidRequest):
        own_account.change_password(gateway, rita, old=PASSWORD, new="short")
    assert accounts.signed_in(gateway, there)
    new = own_account.change_password(gateway, rita, old=PASSWORD, new="another password")

    assert [accounts.signed_in(gateway, one) for one in (here, there)] == [None, None]
    assert actor_of(gateway, new).email == EMAIL
    with pytest.raises(BadSignIn):
        accounts.sign_in(gateway, email=EMAIL, password=PASSWORD)


def test_own_tokens_are_listed_and_revoked_and_those_of_others_are_not(gateway):
    rita, tom = make_person(gateway), make_person(gateway)
    token = accounts.create_token(gateway, email=rita.email)
    (row,) = own_account.read_account(gateway, rita, None).tokens

    with pytest.raises(NotFound):
        own_account.revoke_own_token(gateway, tom, row.id)
    with gateway.database.read() as session:
        assert accounts.authenticate(session, token).owner == rita.owner
    own_account.revoke_own_token(gateway, rita, row.id)

    assert own_account.read_account(gateway, rita, None).tokens == []
    with gateway.database.read() as session, pytest.raises(Unauthenticated):
        accounts.authenticate(session, token)


def test_a_form_makes_one_token_however_often_it_is_sent(database):
    gateway = make_gateway(database)
    rita, tom = make_person(gateway), make_person(gateway)
    token_id = accounts.new_token_id()
    token = accounts.create_token(gateway, email=rita.email, token_id=token_id)

    for person in (rita, tom):
        with pytest.raises(InvalidRequest, match="made already"):
            accounts.create_token(gateway, email=person.email, token_id=token_id)
    for wrong in ("", "x", token_id.upper() + "g", token_id + "0", f"{token_id}\n"):
        with pytest.raises(InvalidRequest, match="not complete"):
            accounts.create_token(gateway, email=rita.email, token_id=wrong)

    assert [row.id for row in own_account.read_account(gateway, rita, None).tokens] == [token_id]
    assert own_account.read_account(gateway, tom, None).tokens == []
    with gateway.database.read() as session:
        assert accounts.authenticate(session, token).owner == rita.owner


def test_own_sign_ins_are_listed_and_ended_and_those_of_others_are_not(gateway):
    rita, tom = make_person(gateway), make_person(gateway)
    here, there = sign_in(gateway, rita), sign_in(gateway, rita)
    account = own_account.read_account(gateway, rita, here)
    (other,) = [row.secret_sha256 for row in account.sign_ins if row.secret_sha256 != account.this_sign_in]

    with pytest.raises(NotFound):
        own_account.end_sign_in(gateway, tom, other)
    own_account.end_sign_in(gateway, rita, other)

    assert accounts.signed_in(gateway, there) is None
    assert accounts.signed_in(gateway, here)
