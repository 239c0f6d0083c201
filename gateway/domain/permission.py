"""Who somebody is, and what they may do. Identity comes from a credential, never from a body."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    REVIEWER = "reviewer"  #: reads and decides
    ADMIN = "admin"  #: also configures
    AUDITOR = "auditor"  #: reads everything, changes nothing


class Scope(StrEnum):
    SUBMIT = "submit"
    READ = "read"


@dataclass(frozen=True, slots=True)
class PersonActor:
    """A person, by session cookie or personal token."""

    id: str
    email: str
    name: str
    role: Role

    @property
    def owner(self) -> str:
        return f"person:{self.id}"


@dataclass(frozen=True, slots=True)
class AppActor:
    """An app, by one of its keys. It can never decide."""

    app: str
    key_id: str
    scopes: frozenset[Scope] = field(default_factory=frozenset)

    @property
    def owner(self) -> str:
        return f"app:{self.app}"


Actor = PersonActor | AppActor

#: In the place of a person's id: whoever asks, and no person at all.
ME, NOBODY = "me", "none"


def may_decide(role: Role) -> bool:
    return role in {Role.REVIEWER, Role.ADMIN}


def may_submit(actor: Actor) -> bool:
    if isinstance(actor, AppActor):
        return Scope.SUBMIT in actor.scopes
    return actor.role in {Role.REVIEWER, Role.ADMIN}


def may_redeliver(actor: Actor) -> bool:
    """True for an app that may submit, and for admins."""
    if isinstance(actor, AppActor):
        return Scope.SUBMIT in actor.scopes
    return actor.role is Role.ADMIN


def may_read(actor: Actor) -> bool:
    return isinstance(actor, PersonActor) or Scope.READ in actor.scopes


def sees_owner(actor: Actor, owner: str) -> bool:
    """True when what belongs to ``owner`` exists for ``actor``: apps see their own, people see all."""
    return isinstance(actor, PersonActor) or actor.owner == owner


def is_own_request(email: str, requested_for: str | None) -> bool:
    """True when the decider is the person for whom, or by whom, the call was asked."""
    return requested_for is not None and email.casefold() == requested_for.casefold()
