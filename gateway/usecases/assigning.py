"""Who looks at a call that waits. It keeps two people from reading the same one; it restricts nobody."""

from gateway.domain.approval import ApprovalStatus
from gateway.domain.event import EventName
from gateway.domain.permission import ME, PersonActor, Role, may_decide
from gateway.errors import GatewayError, InvalidRequest, NotFound, OwnRequest
from gateway.store import accounts as people
from gateway.store import calls, events
from gateway.store.session import Session
from gateway.store.tables import Approval, Job, Person
from gateway.usecases import accounts, approvals, expiring
from gateway.usecases.gateway import Gateway


def assign(
    gateway: Gateway, person: PersonActor, approval_id: str, whom: str | None, *, channel: str = "api"
) -> Approval:
    """The pending call is this person's to look at, and its job's feed says who gave it to them.

    ``whom`` is ME, the id or the e-mail of somebody who may decide, or None for
    nobody. Who has it already changes nothing. Raises: NotFound; NotAllowed;
    AlreadyDecided; Expired; OwnRequest for a call that was asked for whoever
    takes it; InvalidRequest when nobody who may decide is called so.
    """
    refusal: GatewayError | None = None
    with gateway.database.write() as session:
        job, approval = calls.lock(session, approval_id)
        if approval is None:
            raise NotFound
        giver = accounts.check_may_decide(session, person)
        if approval.status != ApprovalStatus.PENDING:
            raise approvals.refusal_of_decided(session, approval)
        now = gateway.database.now(session)
        refusal = expiring.end_if_late(gateway, session, job, approval, now)
        if refusal is None:
            assignee = _assignee(gateway, session, job, approval, giver, whom)
            if (assignee.id if assignee else None) != approval.assignee:
                approval.assignee = assignee.id if assignee else None
                approval.assigned_by, approval.assigned_at = (giver.id, now) if assignee else (None, None)
                events.record(
                    session, job, EventName.APPROVAL_ASSIGNED, now, approval=approval,
                    by=giver.name, person_id=giver.id, assignee=assignee.name if assignee else None,
                    assignee_id=approval.assignee, channel=channel,
                )  # fmt: skip
    # Raised after the commit: that it was too late stays written.
    if refusal is not None:
        raise refusal
    return approval


def _assignee(
    gateway: Gateway, session: Session, job: Job | None, approval: Approval, giver: PersonActor, whom: str | None
) -> PersonActor | None:
    if whom is None:
        return None
    assignee = giver if whom == ME else _decider(session, whom)
    if approvals.is_for_decider(job, approval, assignee) and not gateway.policy.allow_own_requests:
        raise OwnRequest if assignee.id == giver.id else _refused("This call was asked for, or by, this very person")
    return assignee


def _decider(session: Session, id_or_email: str) -> PersonActor:
    is_email = "@" in id_or_email
    row: Person | None = (people.find_person_by_email if is_email else people.read_person)(session, id_or_email)
    if row is None or row.disabled_at is not None or not may_decide(Role(row.role)):
        raise _refused("There is no active reviewer or admin with this id or e-mail")
    return PersonActor(id=row.id, email=row.email, name=row.name, role=Role(row.role))


def _refused(reason: str) -> InvalidRequest:
    return InvalidRequest(f"{reason}.", field="assignee", errors=[{"pointer": "/assignee", "message": reason}])
