"""Seeing a secret that the pages hide: possible for those who decide, and never without a trace."""

from gateway.domain.event import EventName
from gateway.domain.permission import PersonActor
from gateway.errors import NotFound
from gateway.store import calls, events
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway


def reveal(gateway: Gateway, person: PersonActor, approval_id: str, pointer: str, *, channel: str) -> None:
    """The log says that this person has seen what stands at ``pointer``. Show it only then.

    Raises: NotFound; NotAllowed for whoever may not decide.
    """
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        if approval is None:
            raise NotFound
        seer = accounts.check_may_decide(session, person)
        now = gateway.database.now(session)
        events.record(
            session, job, EventName.APPROVAL_REVEALED, now, approval=approval,
            path=pointer, by=seer.name, person_id=seer.id, channel=channel,
        )  # fmt: skip
