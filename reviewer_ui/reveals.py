"""Which secrets of a call can be seen, and who has seen some."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain import json_pointer, secret_places
from gateway.domain.event import EventName
from gateway.store import events
from gateway.store.session import Session
from gateway.store.tables import Approval
from reviewer_ui.editing.control_name import name_of


@dataclass(frozen=True, slots=True)
class Secret:
    """One masked place; ``name`` is what the form that reveals it sends."""

    pointer: str
    name: str


@dataclass(frozen=True, slots=True)
class Reveal:
    """One time that somebody has seen secrets."""

    by: str
    at: datetime
    pointers: Sequence[str]


def secrets_of(approval: Approval) -> list[Secret]:
    """The secret places that hold something, as asked or as edited."""
    pointers = secret_places.read(approval.secrets)
    held = {
        pointer
        for text in (approval.details, approval.modified_details)
        for pointer in secret_places.places(text or "{}", pointers)
    }
    return [Secret(one, name_of(json_pointer.to_path(one))) for one in pointers if one in held]


def read_reveals(session: Session, approval: Approval) -> list[Reveal]:
    """Everybody who has seen a secret of this call, the first one first."""
    rows = events.of_call(session, approval, EventName.APPROVAL_REVEALED)
    facts = [(json.loads(row.data), row.at) for row in rows]
    return [Reveal(data["by"], at, data["paths"]) for data, at in facts]
