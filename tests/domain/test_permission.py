"""Who may do what: every role and every scope."""

import itertools

import pytest

from gateway import errors
from gateway.domain.permission import (
    AppActor,
    PersonActor,
    Role,
    Scope,
    is_own_request,
    may_decide,
    may_read,
    may_submit,
    sees_owner,
)
from gateway.errors import GatewayError

PEOPLE = {role: PersonActor(id=f"per_{role}", email=f"{role}@example.com", name=role, role=role) for role in Role}


def app(*scopes: Scope, name: str = "shop") -> AppActor:
    return AppActor(app=name, key_id="k", scopes=frozenset(scopes))


def test_reviewers_and_admins_decide_and_submit_and_auditors_only_read() -> None:
    assert {role: (may_decide(role), may_submit(PEOPLE[role]), may_read(PEOPLE[role])) for role in Role} == {
        Role.REVIEWER: (True, True, True),
        Role.ADMIN: (True, True, True),
        Role.AUDITOR: (False, False, True),
    }


@pytest.mark.parametrize("scopes", [found for n in range(3) for found in itertools.combinations(Scope, n)])
def test_app_may_do_what_its_scopes_say(scopes: tuple[Scope, ...]) -> None:
    assert may_submit(app(*scopes)) == (Scope.SUBMIT in scopes)
    assert may_read(app(*scopes)) == (Scope.READ in scopes)


def test_no_scope_is_about_deciding() -> None:
    assert {scope.value for scope in Scope} == {"submit", "read"}


def test_app_sees_its_own_and_people_see_all() -> None:
    shop, other = app(Scope.READ), app(Scope.READ, name="shop2")
    assert sees_owner(shop, shop.owner)
    assert not sees_owner(shop, other.owner)
    assert not sees_owner(app(name="per_x"), PEOPLE[Role.ADMIN].owner)
    for person in PEOPLE.values():
        assert sees_owner(person, shop.owner)


@pytest.mark.parametrize(
    ("requested_for", "is_own"),
    [("ann@example.com", True), ("ANN@Example.COM", True), ("ann@example.org", False), (None, False), ("", False)],
)
def test_own_request_is_told_by_the_address(requested_for: str | None, is_own: bool) -> None:
    assert is_own_request("Ann@example.com", requested_for) is is_own


def test_every_refusal_has_a_code_of_its_own_and_a_sentence() -> None:
    refusals = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GatewayError)]
    # A narrower class may share the code of the one that it narrows: its HTTP status differs, not its meaning.
    own = [one for one in refusals if "code" in vars(one)]
    assert len({one.code for one in own}) == len(own)
    for one in refusals:
        assert one.code.replace("_", "").isalpha()
        assert one.code == one.code.lower()
        assert one().message.endswith(".") or one is GatewayError
        assert one("Other words.", n=1).facts == {"n": 1}
