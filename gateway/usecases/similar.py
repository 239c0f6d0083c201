"""A call of a tool whose call with other arguments was rejected before, in the same job."""

import json

from gateway.domain import secret_places
from gateway.domain.arguments import changes
from gateway.domain.findings.finding import Finding
from gateway.domain.shortening import shorten
from gateway.store import approvals, decisions
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases.gateway import Gateway

MAX_PLACES = 5
MAX_PLACE_CHARS = 80


def mark_if_similar(gateway: Gateway, session: Session, job: Job, approval: Approval) -> None:
    """The new approval warns of the last rejected call of its tool, and names the places where the two differ.

    Jobs without a rejection, which is most of them, cost nothing.
    """
    if not job.rejections or approval.details is None or approval.repeat_of is not None:
        return
    rejected = approvals.newest_rejected(session, job.id, approval.action)
    if rejected is None or rejected.details is None:
        return
    secrets = secret_places.read(approval.secrets)
    differing = [change.pointer for change in changes(rejected.details, approval.details, gateway.policy.limits)]
    # The names inside a secret value are as secret as the rest of it.
    places = list(dict.fromkeys(secret_places.secret_of(pointer, secrets) or pointer for pointer in differing))
    if places:
        warning = Finding("similar_call", "", _message(session, rejected, places)).as_json()
        approval.warnings = json.dumps([warning, *json.loads(approval.warnings)], ensure_ascii=False)


def _message(session: Session, rejected: Approval, places: list[str]) -> str:
    decision = decisions.find(session, rejected.decision_id) if rejected.decision_id else None
    by = (decision.actor_name if decision else None) or "Somebody"
    named = ", ".join(shorten(place or "the whole", MAX_PLACE_CHARS) for place in places[:MAX_PLACES])
    rest = f" and {len(places) - MAX_PLACES} more places" if len(places) > MAX_PLACES else ""
    return f"{by} rejected a call of this tool in this job before. This one differs from it at {named}{rest}."
