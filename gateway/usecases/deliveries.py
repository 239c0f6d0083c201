"""The outbox: messages to addresses that apps gave, from the change that they tell of to the receiver's answer.

A message is written in the transaction of its change, so there is none without
the other. It is sent at least once and always under the same id; messages may
overtake each other.
"""

import logging
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.approval import is_held
from gateway.domain.delivery import MAX_ATTEMPTS, DeliveryStatus, Outcome, Target, pause_after
from gateway.domain.event import EventName
from gateway.domain.permission import Actor, may_redeliver, sees_owner
from gateway.errors import DeliveryDropped, DeliveryPending, NotAllowed, NotFound
from gateway.store import approvals, deliveries
from gateway.store.session import Session
from gateway.store.tables import Approval, Delivery
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_id

#: How long a sender may take; after that it is taken for dead, and the message is sent again.
LEASE_S = 40.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """One attempt to send a message: the caller's, until its lease ends."""

    id: str
    attempt: int
    event: str
    url: str
    body: str
    form: str
    owner: str


def queue(
    session: Session,
    *,
    event: str,
    url: str,
    body: str,
    owner: str,
    now: datetime,
    app: str | None = None,
    job_id: str | None = None,
    approval_id: str | None = None,
    form: str = "standard",
    due_at: datetime | None = None,
) -> Delivery:
    """The message will be sent once this transaction has committed, from ``due_at`` on.

    ``now`` is the time of the change. A message that an approval was decided is due at its ``release_at``, and is
    dropped when the approval is found to be undone, or decided anew, by then. The address must have passed
    ``domain.callback_url.check_url``.
    """
    delivery = Delivery(
        id=new_id("dlv"),
        event=event,
        job_id=job_id,
        approval_id=approval_id,
        owner=owner,
        app=app,
        target=Target.CALLBACK,
        url=url,
        body=body,
        form=form,
        status=DeliveryStatus.PENDING,
        due_at=due_at or now,
        created_at=now,
    )
    deliveries.add(session, delivery)
    return delivery


def claim_due(gateway: Gateway, at_most: int, *, but_owners: Collection[str] = ()) -> list[Message]:
    """The messages that are due and that nobody else sends: the caller's for ``LEASE_S``.

    Those of ``but_owners`` are left: a receiver that is slow holds up its own messages alone.
    """
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        until = now + timedelta(seconds=LEASE_S)
        rows = deliveries.claim(session, now, until, at_most=at_most, but_owners=but_owners)
        decided = {row.approval_id for row in rows if row.event == EventName.APPROVAL_DECIDED and row.approval_id}
        found = {approval.id: approval for approval in approvals.find_many(session, decided)}
        still_true = [row for row in rows if row.approval_id not in decided or _is_true(session, row, found, now)]
    return [
        Message(row.id, row.attempts, row.event, row.url, row.body, row.form, row.owner)
        for row in still_true
        if row.url is not None and row.body is not None
    ]


def record(gateway: Gateway, message: Message, outcome: Outcome) -> None:
    """How the attempt ended is written down: delivered, due again later, or given up."""
    with gateway.database.write() as session:
        chance = random.random()  # noqa: S311 (spreading load, not a secret)
        is_written = settle(session, message.id, message.attempt, outcome, gateway.database.now(session), chance)
    if is_written:
        note(message.id, message.event, message.attempt, outcome)


def give_back(gateway: Gateway, message: Message) -> None:
    """The attempt was broken off before anybody could know how it ends: another one may begin at once."""
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        deliveries.settle(session, message.id, message.attempt, DeliveryStatus.PENDING, due_at=now)


def next_due(gateway: Gateway, target: Target, *, but_owners: Collection[str] = ()) -> float | None:
    """In how many seconds the next message of this kind is due, 0 or less for at once; None without any."""
    with gateway.database.read() as session:
        due_at = deliveries.next_due(session, target, but_owners=but_owners)
        return None if due_at is None else (due_at - gateway.database.now(session)).total_seconds()


def redeliver(gateway: Gateway, actor: Actor, delivery_id: str) -> Delivery:
    """The message is sent once more under its id, at once.

    After its tenth attempt in all it is not tried again by itself. Raises: NotAllowed; NotFound; DeliveryPending;
    DeliveryDropped.
    """
    if not may_redeliver(actor):
        raise NotAllowed("Only an admin, or the app with the scope submit, may have a message sent again.")
    with gateway.database.write() as session:
        delivery = deliveries.find(session, delivery_id)
        if delivery is None or not sees_owner(actor, delivery.owner):
            raise NotFound
        if delivery.status == DeliveryStatus.DROPPED:
            raise DeliveryDropped
        if delivery.status == DeliveryStatus.PENDING:
            raise DeliveryPending
        if not deliveries.reopen(session, delivery, gateway.database.now(session)):
            raise DeliveryPending
        again = deliveries.find(session, delivery_id)
    if again is None:
        raise NotFound
    return again


def settle(session: Session, delivery_id: str, attempt: int, outcome: Outcome, now: datetime, chance: float) -> bool:
    """The row says how its attempt ended; False when it was not the last one any more.

    ``chance``, between 0 and 1, spreads the next attempts of what failed together.
    """
    values: dict[str, Any] = {"last_status": outcome.status, "last_error": outcome.error}
    if outcome.is_delivered:
        return deliveries.settle(session, delivery_id, attempt, DeliveryStatus.DELIVERED, delivered_at=now, **values)
    pause = pause_after(outcome, attempt, chance)
    if pause is None:
        return deliveries.settle(session, delivery_id, attempt, DeliveryStatus.FAILED, **values)
    return deliveries.settle(session, delivery_id, attempt, DeliveryStatus.PENDING, due_at=now + pause, **values)


def note(delivery_id: str, event: str, attempt: int, outcome: Outcome) -> None:
    """The log has a line about the attempt: neither the address nor what was sent."""
    facts = {"delivery_id": delivery_id, "about": event, "attempt": attempt, "status": outcome.status}
    if outcome.is_delivered:
        _log.info("message delivered", extra={"event": "delivery.delivered", **facts})
        return
    is_last = outcome.is_permanent or attempt >= MAX_ATTEMPTS
    name = "delivery.failed" if is_last else "delivery.delayed"
    _log.warning("message not delivered", extra={"event": name, "reason": outcome.error, **facts})


def _is_true(session: Session, row: Delivery, found: dict[str, Approval], now: datetime) -> bool:
    """False for a message about a decision that does not stand, which is dropped, or that is still held."""
    approval = found.get(row.approval_id or "")
    if approval is None or approval.decided_at is None or approval.decided_at > row.created_at:
        error = "The decision was taken back before this was sent."
        deliveries.settle(session, row.id, row.attempts, DeliveryStatus.DROPPED, last_error=error)
        return False
    if is_held(approval.status, approval.release_at, now):
        deliveries.settle(session, row.id, row.attempts, DeliveryStatus.PENDING, due_at=approval.release_at)
        return False
    return True
