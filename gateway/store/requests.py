"""What programs ask, each once: who retries gets the approval of the first time."""

from datetime import datetime

from sqlalchemy import bindparam, func, select

from gateway.domain.approval import ApprovalStatus
from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import Approval

_ROWS = Rows(Approval)
_T = _ROWS.table
_SELECT = select(*_ROWS.columns)
_BY_KEY = Prepared(_SELECT.where(_T.c.owner == bindparam("owner"), _T.c.request_key == bindparam("key")))
_SAME = Prepared(
    _SELECT.where(
        _T.c.owner == bindparam("owner"),
        _T.c.request_sha256 == bindparam("sha256"),
        _T.c.created_at > bindparam("since"),
        # What nobody decided may be asked again.
        _T.c.status != ApprovalStatus.EXPIRED.value,
        _T.c.status != ApprovalStatus.CANCELLED.value,
    )
    .order_by(_T.c.created_at.desc())
    .limit(1)
)
_ALONE = Prepared(select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("words"), 0))))


def alone_with(session: Session, owner: str, words: str) -> None:
    """Nobody else who calls this with the same words goes on before this transaction has ended.

    For what no row can be locked of, because there is none yet. On SQLite every write transaction is alone.
    """
    if session.dialect.name == "postgresql":
        _ALONE.rows(session, words=f"{owner}\n{words}")


def find_by_key(session: Session, owner: str, key: str) -> Approval | None:
    """What this owner asked with this Idempotency-Key."""
    found = _BY_KEY.row(session, owner=owner, key=key)
    return _ROWS.make(found) if found else None


def find_same(session: Session, owner: str, sha256: str, since: datetime) -> Approval | None:
    """The last request of this owner with this content, if it came after ``since`` and waits or was decided."""
    found = _SAME.row(session, owner=owner, sha256=sha256, since=since)
    return _ROWS.make(found) if found else None
