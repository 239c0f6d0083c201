"""Who decided, and the row that says so."""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.approval import Verdict
from gateway.domain.permission import Actor, AppActor, PersonActor
from gateway.store.decisions import Entry
from gateway.store.tables import Approval
from gateway.usecases.ids import new_id

#: Verdicts that take an approval out of pending.
_FINAL = frozenset({Verdict.APPROVE, Verdict.REJECT, Verdict.RESPOND, Verdict.EXPIRE, Verdict.CANCEL})


@dataclass(frozen=True, slots=True)
class By:
    """Somebody or something that decides, in the words of the decisions table."""

    kind: str  #: person | rule | tool_setting | system
    id: str | None = None
    name: str | None = None
    role: str | None = None
    channel: str | None = None


SYSTEM = By(kind="system", name="system")


def by_person(person: PersonActor, channel: str) -> By:
    return By(kind="person", id=person.id, name=person.name, role=person.role, channel=channel)


def by_tool_setting(tool_name: str) -> By:
    return By(kind="tool_setting", id=tool_name, name=f"{tool_name}: approval = auto")


def by_actor(actor: Actor, channel: str) -> By:
    """An app does not decide; what it cancels is recorded as the system's doing in its name."""
    if isinstance(actor, AppActor):
        return By(kind="system", id=actor.owner, name=actor.app, channel=channel)
    return by_person(actor, channel)


def entry(
    approval: Approval,
    verdict: Verdict,
    by: By,
    now: datetime,
    *,
    note: str | None = None,
    reason_code: str | None = None,
    response: str | None = None,
) -> Entry:
    """The decision about this approval as it is now; append it with ``store.decisions.append``."""
    is_approval = verdict is Verdict.APPROVE
    return Entry(
        id=new_id("dec"),
        at=now,
        approval_id=approval.id,
        job_id=approval.job_id,
        app=approval.app,
        origin=approval.origin,
        action=approval.action,
        verdict=verdict,
        is_final=verdict in _FINAL,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_name=by.name,
        actor_role=by.role,
        channel=by.channel,
        details_sha256=approval.details_sha256,
        effective_sha256=approval.effective_sha256 if is_approval else None,
        modified_details=approval.modified_details if is_approval else None,
        note=note,
        reason_code=reason_code,
        response=response,
        waited_ms=max(0, round((now - approval.created_at).total_seconds() * 1000)),
    )
