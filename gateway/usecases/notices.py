"""Telling reviewers that calls wait for them: one message each, or one digest a minute when many come.

Every call that waits has a row of its own in the outbox, and is told of once.
How many of them one message tells of is found out when it is sent.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.domain.approval import ApprovalStatus
from gateway.domain.delivery import DeliveryStatus, Outcome, Target
from gateway.domain.event import EventName
from gateway.store import approvals, deliveries
from gateway.store.session import Session
from gateway.store.tables import Approval, Delivery
from gateway.usecases.deliveries import LEASE_S, note, settle
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_id

#: Whose the messages are: no app sees them.
OWNER = "gateway"
FEW = 3  # calls within a minute that are told of one by one
DIGEST_EVERY = timedelta(minutes=1)
MAX_TOGETHER = 1000


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to the reviewers: of one call, or of several together.

    It knows no arguments and no words of a model, which are not for every place that it may be sent to.
    """

    rows: tuple[tuple[str, int], ...]  #: id and attempt of each delivery that it settles: one for each call
    approval_id: str  #: of the first of the calls
    action: str
    risk: str


def queue(session: Session, approval: Approval, now: datetime) -> None:
    """Reviewers will be told that this new call waits, once the transaction has committed."""
    delivery = Delivery(
        id=new_id("dlv"),
        event=EventName.APPROVAL_REQUESTED,
        job_id=approval.job_id,
        approval_id=approval.id,
        owner=OWNER,
        target=Target.NOTIFY,
        status=DeliveryStatus.PENDING,
        due_at=now,
        created_at=now,
    )
    deliveries.add(session, delivery)


def claim_due(gateway: Gateway) -> list[Notice]:
    """What to tell the reviewers now: nobody else tells it meanwhile. Calls that are decided are left out."""
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        rows = deliveries.lock_notices(session, now, MAX_TOGETHER)
        pending = approvals.actions_and_risks(session, [_call_of(row) for row in rows], ApprovalStatus.PENDING)
        for row in rows:
            if _call_of(row) not in pending:
                error = "The call was decided before anybody was told of it."
                deliveries.settle(session, row.id, row.attempts, DeliveryStatus.DROPPED, last_error=error)
        waiting = [row.id for row in rows if _call_of(row) in pending]
        if not waiting:
            return []
        told, last = deliveries.notified_since(session, now - DIGEST_EVERY)
        are_few = told + len(waiting) <= FEW
        if not are_few and last is not None:
            deliveries.put_off(session, waiting, last + DIGEST_EVERY)
            return []
        begun = deliveries.begin_attempts(session, waiting, now + timedelta(seconds=LEASE_S))
    notices = [Notice(((row.id, row.attempts),), _call_of(row), *pending[_call_of(row)]) for row in begun]
    return notices if are_few else [replace(notices[0], rows=tuple(row for notice in notices for row in notice.rows))]


def record(gateway: Gateway, notice: Notice, outcome: Outcome) -> None:
    """How the message ended is written down for each call that it told of."""
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        # One pause for all, so that they stay together.
        chance = random.random()  # noqa: S311 (spreading load, not a secret)
        for delivery_id, attempt in notice.rows:
            settle(session, delivery_id, attempt, outcome, now, chance)
    delivery_id, attempt = notice.rows[0]
    note(delivery_id, EventName.APPROVAL_REQUESTED, attempt, outcome)


def give_back(gateway: Gateway, notice: Notice) -> None:
    """The message was broken off before anybody could know how it ends: another one may begin at once."""
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        for delivery_id, attempt in notice.rows:
            deliveries.settle(session, delivery_id, attempt, DeliveryStatus.PENDING, due_at=now)


def _call_of(row: Delivery) -> str:
    return row.approval_id or ""
