"""Who looks at a call, as pages say it: it restricts nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.permission import PersonActor
from gateway.store import accounts
from gateway.store.session import Session
from gateway.store.tables import Approval, Person


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who has the call; no ``name``: nobody."""

    name: str | None
    is_mine: bool
    was_taken: bool  #: by themselves, and not given to them
    since: datetime | None
    others: Sequence[Person]  #: who else may be given it


def read_assignment(session: Session, approval: Approval, reader: PersonActor) -> Assignment:
    """Who has the call, for this reader."""
    whose = approval.assignee
    return Assignment(
        name=accounts.names(session, [whose]).get(whose, whose) if whose else None,
        is_mine=whose == reader.id,
        was_taken=whose == approval.assigned_by,
        since=approval.assigned_at,
        others=[one for one in accounts.deciders(session) if one.id not in {whose, reader.id}],
    )


def initials(name: str) -> str:
    """``RM`` for Rita Meyer, ``RI`` for rita."""
    words = name.split()
    short = words[0][0] + words[-1][0] if len(words) > 1 else name.strip()[:2]
    return short.upper()
