"""Messages to the world outside: queued with the change that they tell of, claimed by whoever sends them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update

from gateway.domain.delivery import DeliveryStatus, Target, check_transition
from gateway.store import pages
from gateway.store.rows import Rows
from gateway.store.session import Session, announce
from gateway.store.tables import Delivery

#: Told when there is something new to send.
TOPIC = "deliveries"
_NOTICES_LOCK = 7_345_001  # any number of ours: PostgreSQL's advisory locks are numbers

_ROWS = Rows(Delivery)
_D = _ROWS.table
_IS_PENDING = _D.c.status == DeliveryStatus.PENDING.value


def add(session: Session, delivery: Delivery) -> None:
    """The message is in the database, and whoever sends is woken after the commit."""
    _ROWS.add(session, delivery)
    announce(session, TOPIC)


def find(session: Session, delivery_id: str) -> Delivery | None:
    found = session.execute(select(*_ROWS.columns).where(_D.c.id == delivery_id)).first()
    return _ROWS.make(found) if found else None


def claim(
    session: Session, now: datetime, until: datetime, *, at_most: int, but_owners: Collection[str] = ()
) -> list[Delivery]:
    """Callbacks that are due: the caller's until then, each with the number of the attempt that begins."""
    due = select(_D.c.id).where(_IS_PENDING, _D.c.target == Target.CALLBACK.value, _D.c.due_at <= now)
    if but_owners:
        due = due.where(_D.c.owner.not_in(but_owners))
    # Others may be claiming at this moment: what they hold is passed over. A part of its own, so that it runs once.
    chosen = due.order_by(_D.c.due_at, _D.c.id).limit(at_most).with_for_update(skip_locked=True).cte("chosen")
    return _begin(session, select(chosen.c.id), until)


def begin_attempts(session: Session, delivery_ids: Collection[str], until: datetime) -> list[Delivery]:
    """These rows, which this transaction has locked, are the caller's until then."""
    return _begin(session, delivery_ids, until)


def lock_notices(session: Session, now: datetime, at_most: int) -> list[Delivery]:
    """What reviewers are to be told by now, or was put off before it was tried; none while somebody is telling them.

    Nobody else gets an answer until this transaction ends: all of it may become one message.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_NOTICES_LOCK)))
    notices = select(*_ROWS.columns).where(_IS_PENDING, _D.c.target == Target.NOTIFY.value)
    if session.execute(notices.where(_D.c.claimed_until > now).limit(1)).first():
        return []
    wanted = notices.where(or_(_D.c.due_at <= now, _D.c.attempts == 0))
    rows = session.execute(wanted.order_by(_D.c.due_at, _D.c.id).limit(at_most))
    return [_ROWS.make(row) for row in rows]


def notified_since(session: Session, since: datetime) -> tuple[int, datetime | None]:
    """Of how many calls reviewers were told since then, and when last."""
    told = _D.c.delivered_at
    statement = select(func.count(), func.max(told)).where(_D.c.target == Target.NOTIFY.value, told > since)
    count, last = session.execute(statement).one()
    return count, last


def put_off(session: Session, delivery_ids: Collection[str], until: datetime) -> None:
    """These pending messages are not due before then."""
    session.execute(update(_D).where(_IS_PENDING, _D.c.id.in_(delivery_ids)).values(due_at=until))


def settle(session: Session, delivery_id: str, attempt: int, status: DeliveryStatus, **values: Any) -> bool:
    """The attempt has ended like this; False when it was not the last one any more, and nothing was written."""
    if status is not DeliveryStatus.PENDING:
        check_transition(DeliveryStatus.PENDING, status)
    mine = _D.c.id == delivery_id, _D.c.attempts == attempt, _IS_PENDING
    written = session.execute(update(_D).where(*mine).values(status=status.value, claimed_until=None, **values))
    return bool(written.rowcount)


def reopen(session: Session, delivery: Delivery, now: datetime) -> bool:
    """The message is due again, at once; False when its state was not that of ``delivery`` any more."""
    check_transition(DeliveryStatus(delivery.status), DeliveryStatus.PENDING)
    mine = _D.c.id == delivery.id, _D.c.attempts == delivery.attempts, _D.c.status == delivery.status
    values = {"status": DeliveryStatus.PENDING.value, "due_at": now, "delivered_at": None}
    written = session.execute(update(_D).where(*mine).values(**values))
    announce(session, TOPIC)
    return bool(written.rowcount)


def next_due(session: Session, target: Target, *, but_owners: Collection[str] = ()) -> datetime | None:
    """When the next message of this kind is due, or its sender counts as lost."""
    statement = select(_D.c.due_at).where(_IS_PENDING, _D.c.target == target.value)
    if but_owners:
        statement = statement.where(_D.c.owner.not_in(but_owners))
    found: datetime | None = session.execute(statement.order_by(_D.c.due_at).limit(1)).scalar()
    return found


def page(
    session: Session,
    *,
    owner: str | None,
    statuses: Collection[str] = (),
    job_id: str | None = None,
    approval_id: str | None = None,
    cursor: str | None = None,
    limit: int = pages.DEFAULT_LIMIT,
) -> pages.Page[Delivery]:
    """Messages, newest first; ``owner`` None sees all."""
    statement = select(*_ROWS.columns).order_by(_D.c.created_at.desc(), _D.c.id.desc()).limit(limit + 1)
    for column, value in ((_D.c.owner, owner), (_D.c.job_id, job_id), (_D.c.approval_id, approval_id)):
        if value is not None:
            statement = statement.where(column == value)
    if statuses:
        statement = statement.where(_D.c.status.in_(statuses))
    if cursor is not None:
        at, delivery_id = pages.time_and_id(cursor)
        # The first condition alone is what an index can begin at.
        statement = statement.where(_D.c.created_at <= at, or_(_D.c.created_at < at, _D.c.id < delivery_id))
    rows: Sequence[Delivery] = [_ROWS.make(row) for row in session.execute(statement)]
    return pages.cut(rows, limit, lambda row: (row.created_at, row.id))


def _begin(session: Session, ids: Any, until: datetime) -> list[Delivery]:
    begun = (
        update(_D)
        .where(_D.c.id.in_(ids), _IS_PENDING)
        .values(attempts=_D.c.attempts + 1, claimed_until=until, due_at=until)
        .returning(*_ROWS.columns)
    )
    return sorted((_ROWS.make(row) for row in session.execute(begun)), key=lambda row: (row.created_at, row.id))
