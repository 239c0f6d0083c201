"""Approvals in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam
from sqlalchemy import select as sql_select
from sqlmodel import and_, col, or_, select

from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus
from gateway.domain.permission import NOBODY
from gateway.store import pages
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution

_ROWS = Rows(Approval, guard="version", counts=True)
_T = _ROWS.table
_SELECT = sql_select(*_ROWS.columns)
_FIND = Prepared(_SELECT.where(_T.c.id == bindparam("approval_id")))
_LOCK = Prepared(_SELECT.where(_T.c.id == bindparam("approval_id")).with_for_update())
_LOCK_ROUND = Prepared(
    _SELECT.where(_T.c.job_id == bindparam("job_id"), _T.c.round == bindparam("round"))
    .order_by(_T.c.position)
    .with_for_update()
)
_NEWEST_SAME = Prepared(
    _SELECT.where(_T.c.job_id == bindparam("job_id"), _T.c.call_sha256 == bindparam("call_sha256"))
    .order_by(_T.c.decided_at.desc(), _T.c.round.desc(), _T.c.position.desc())
    .limit(1)
)
_NEWEST_REJECTED = Prepared(
    _SELECT.where(
        _T.c.job_id == bindparam("job_id"),
        _T.c.status == ApprovalStatus.REJECTED.value,
        _T.c.action == bindparam("action"),
        _T.c.details.is_not(None),
    )
    .order_by(_T.c.decided_at.desc(), _T.c.round.desc(), _T.c.position.desc())
    .limit(1)
)
_OF_JOB = Prepared(_SELECT.where(_T.c.job_id == bindparam("job_id")).order_by(_T.c.round, _T.c.position))
_IDS_OF_JOB = Prepared(
    sql_select(_T.c.id).where(_T.c.job_id == bindparam("job_id")).order_by(_T.c.round, _T.c.position)
)

_LONG_TEXTS = ("details", "summary", "justification", "schema_text", "tool_definition")
_HEADS = Rows(Approval, without=_LONG_TEXTS)
MAX_HEADS = 10
_FIND_HEADS = Prepared(
    sql_select(*_HEADS.columns).where(_T.c.id.in_([bindparam(f"id_{number}") for number in range(MAX_HEADS)]))
)


def add(session: Session, approval: Approval) -> None:
    """The new approval is in the database."""
    _ROWS.add(session, approval)


def find(session: Session, approval_id: str) -> Approval | None:
    found = _FIND.row(session, approval_id=approval_id)
    return _ROWS.make(found) if found else None


def find_many(session: Session, approval_ids: Collection[str]) -> Sequence[Approval]:
    if not approval_ids:
        return []
    return session.exec(select(Approval).where(col(Approval.id).in_(approval_ids))).all()


def find_heads(session: Session, approval_ids: Sequence[str]) -> list[Approval]:
    """The approvals without their long texts, at most ``MAX_HEADS``, in the ids' order; without those that are gone.

    To read one of the long texts raises.
    """
    if not approval_ids:
        return []
    # One statement for any number: the places that are left hold the first id again.
    asked = dict.fromkeys((f"id_{number}" for number in range(MAX_HEADS)), approval_ids[0])
    asked |= {f"id_{number}": one for number, one in enumerate(approval_ids)}
    rows = {row.id: row for row in map(_HEADS.make, _FIND_HEADS.rows(session, **asked))}
    return [rows[one] for one in approval_ids if one in rows]


def actions_and_risks(
    session: Session, approval_ids: Collection[str], status: ApprovalStatus
) -> dict[str, tuple[str, str]]:
    """Action and risk of those among these calls that are in this state."""
    if not approval_ids:
        return {}
    statement = select(Approval.id, Approval.action, Approval.risk).where(
        col(Approval.id).in_(approval_ids), Approval.status == status
    )
    return {approval_id: (action, risk) for approval_id, action, risk in session.exec(statement)}


def secrets_of(session: Session, approval_ids: Collection[str]) -> dict[str, Sequence[str]]:
    """The secret places of those among these calls that have some."""
    if not approval_ids:
        return {}
    statement = select(Approval.id, Approval.secrets).where(
        col(Approval.id).in_(approval_ids), col(Approval.secrets).is_not(None)
    )
    return {approval_id: secret_places.read(secrets) for approval_id, secrets in session.exec(statement)}


def lock(session: Session, approval_id: str) -> Approval | None:
    """The approval, which nobody else changes until this transaction ends. Lock its job first."""
    found = _LOCK.row(session, approval_id=approval_id)
    return _ROWS.hold(session, found) if found else None


def of_job(session: Session, job_id: str) -> Sequence[Approval]:
    """Every approval of the job in the order of its calls."""
    return [_ROWS.make(values) for values in _OF_JOB.rows(session, job_id=job_id)]


def ids_of_job(session: Session, job_id: str) -> list[str]:
    """The ids of every approval of the job in the order of its calls."""
    return [approval_id for (approval_id,) in _IDS_OF_JOB.rows(session, job_id=job_id)]


def of_jobs(session: Session, job_ids: Collection[str]) -> Sequence[Approval]:
    """The approvals of several jobs, in the order of their calls."""
    if len(job_ids) == 1:
        return of_job(session, next(iter(job_ids)))
    return session.exec(
        select(Approval).where(col(Approval.job_id).in_(job_ids)).order_by(col(Approval.round), col(Approval.position))
    ).all()


def newest_same(session: Session, job_id: str, call_sha256: str) -> Approval | None:
    """The rejected call or repeat with these arguments that was decided last in this job; only read."""
    found = _NEWEST_SAME.row(session, job_id=job_id, call_sha256=call_sha256)
    return _ROWS.make(found) if found else None


def newest_rejected(session: Session, job_id: str, action: str) -> Approval | None:
    """The call of this tool that was rejected last in this job; only read."""
    found = _NEWEST_REJECTED.row(session, job_id=job_id, action=action)
    return _ROWS.make(found) if found else None


def lock_round(session: Session, job_id: str, round: int) -> Sequence[Approval]:
    """The calls of one turn, which nobody else changes until this transaction ends. Lock their job first."""
    rows = _LOCK_ROUND.rows(session, job_id=job_id, round=round)
    return [_ROWS.hold(session, values) for values in rows]


def due(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """The ids of pending approvals whose time for deciding has passed."""
    return session.exec(
        select(Approval.id)
        .where(Approval.status == ApprovalStatus.PENDING, col(Approval.expires_at) <= now)
        .order_by(col(Approval.expires_at))
        .limit(limit)
    ).all()


def to_warn_of(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """The ids of undecided approvals of whose expiry people are to be warned by now."""
    return session.exec(
        select(Approval.id)
        .where(col(Approval.warn_at) <= now, col(Approval.decided_at).is_(None))
        .order_by(col(Approval.warn_at))
        .limit(limit)
    ).all()


def page(
    session: Session,
    *,
    owner: str | None = None,
    statuses: Collection[str] = (),
    held_since: datetime | None = None,
    execution: Collection[str] = (),
    action: str | None = None,
    job_id: str | None = None,
    risk: Collection[str] = (),
    assignee: str | None = None,
    cursor: str | None = None,
    limit: int = pages.DEFAULT_LIMIT,
) -> pages.Page[Approval]:
    """Approvals, oldest first; ``owner`` None sees all. ``assignee`` is a person's id, or NOBODY.

    ``held_since`` counts what is approved but not yet released at that time as
    pending (and not as approved): until release every face says so.
    """
    statement = select(Approval).order_by(col(Approval.created_at), col(Approval.id)).limit(limit + 1)
    if owner is not None:
        statement = statement.where(Approval.owner == owner)
    if execution:
        statement = statement.where(_newest_execution_in(execution))
    if action is not None:
        statement = statement.where(Approval.action == action)
    if job_id is not None:
        statement = statement.where(Approval.job_id == job_id)
    if risk:
        statement = statement.where(col(Approval.risk).in_(risk))
    if assignee is not None:
        statement = statement.where(col(Approval.assignee) == (None if assignee == NOBODY else assignee))
    held: Sequence[Approval] = ()
    if held_since is not None and _shows_held(statuses):
        # A question of its own: asked together, neither half would be answered by its index. These are few.
        held = session.exec(statement.where(_is_held(held_since)).order_by(None).limit(None)).all()
    if statuses:
        statement = statement.where(_shows_as(statuses, held_since))
    if cursor is not None:
        at, approval_id = place = pages.time_and_id(cursor)
        held = [row for row in held if _place(row) > place]
        # The first condition alone is what an index can begin at.
        later = or_(col(Approval.created_at) > at, col(Approval.id) > approval_id)
        statement = statement.where(col(Approval.created_at) >= at, later)
    rows = sorted([*session.exec(statement).all(), *held], key=_place)
    return pages.cut(rows[: limit + 1], limit, _place)


def _shows_as(statuses: Collection[str], held_since: datetime | None) -> ColumnElement[bool]:
    plain = col(Approval.status).in_(statuses)
    if held_since is None:
        return plain
    if ApprovalStatus.APPROVED in statuses and ApprovalStatus.PENDING not in statuses:
        return plain & or_(
            col(Approval.status) != ApprovalStatus.APPROVED,
            col(Approval.release_at).is_(None),
            col(Approval.release_at) <= held_since,
        )
    return plain


def _shows_held(statuses: Collection[str]) -> bool:
    return ApprovalStatus.PENDING in statuses and ApprovalStatus.APPROVED not in statuses


def _is_held(since: datetime) -> ColumnElement[bool]:
    return and_(col(Approval.status) == ApprovalStatus.APPROVED, col(Approval.release_at) > since)


def _place(row: Approval) -> tuple[datetime, str]:
    return row.created_at, row.id


def _newest_execution_in(statuses: Collection[str]) -> ColumnElement[bool]:
    newer = select(Execution.attempt).where(
        col(Execution.approval_id) == col(Approval.id),
        col(Execution.attempt) == col(Approval.attempt),
        col(Execution.status).in_(statuses),
    )
    return newer.exists()
