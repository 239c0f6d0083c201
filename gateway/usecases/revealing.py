"""Seeing a secret that answers and pages hide: possible for those who decide, and never without a trace."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain import secret_places
from gateway.domain.event import EventName
from gateway.domain.findings import secret_text
from gateway.domain.permission import PersonActor
from gateway.errors import InvalidRequest, NotFound
from gateway.store import calls, events
from gateway.store.tables import Approval
from gateway.usecases import accounts, progress
from gateway.usecases.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Revealed:
    """What stands at the pointers, as exact JSON text: as asked, and as a reviewer edited it."""

    values: dict[str, str]
    modified_values: dict[str, str]


def reveal(
    gateway: Gateway, person: PersonActor, approval_id: str, pointers: Sequence[str] | None, *, channel: str
) -> Revealed:
    """The true values at these pointers, once the log says that this person has seen them; None: all secrets.

    Raises: NotFound; NotAllowed for whoever may not decide; InvalidRequest for what is no secret.
    """
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        if approval is None:
            raise NotFound
        seer = accounts.check_may_decide(session, person)
        wanted = _wanted(approval, pointers)
        now = gateway.database.now(session)
        modified = None if progress.is_held(approval, now) else approval.modified_details
        revealed = Revealed(_values(approval.details, wanted), _values(modified, wanted))
        seen = list(revealed.values | revealed.modified_values)
        if seen:
            events.record(
                session, job, EventName.APPROVAL_REVEALED, now, approval=approval,
                paths=seen, by=seer.name, person_id=seer.id, channel=channel,
            )  # fmt: skip
        return revealed


def _wanted(approval: Approval, pointers: Sequence[str] | None) -> Sequence[str]:
    secrets = secret_places.read(approval.secrets)
    if pointers is None:
        return secrets
    known = {*secrets, *_values(approval.details, secrets)}
    for place, pointer in enumerate(pointers):
        if pointer not in known and not _looks_secret(approval, pointer):
            message = "is no secret of this call"
            raise InvalidRequest(
                f"The pointer {message}.", errors=[{"pointer": f"/pointers/{place}", "message": message}]
            )
    return list(dict.fromkeys(pointers))


def _looks_secret(approval: Approval, pointer: str) -> bool:
    """True for a text with what pages hide by its shape."""
    try:
        found = _values(approval.details, [pointer])
    except ValueError:
        return False  # not a pointer at all
    return any(secret_text.masked(text) != text for text in found.values())


def _values(text: str | None, pointers: Sequence[str]) -> dict[str, str]:
    return {} if text is None else secret_places.values(text, pointers)
