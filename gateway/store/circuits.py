"""Models as rows: whether calls of one go through just now, and which turns wait for it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, exists, func, or_, update
from sqlalchemy import select as sql_select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.prepared import Prepared
from gateway.store.rows import Rows
from gateway.store.session import Session
from gateway.store.tables import ModelCircuit, Turn

_CIRCUITS, _TURNS = Rows(ModelCircuit), Rows(Turn)
_C, _T = _CIRCUITS.table, _TURNS.table
_SELECT = sql_select(*_CIRCUITS.columns)
_ALL = Prepared(_SELECT)
_LOCK = Prepared(_SELECT.where(_C.c.model == bindparam("model")).with_for_update())
_ADD = Prepared(
    {
        "sqlite": sqlite.insert(_C).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(_C).on_conflict_do_nothing(),
    },
    ("model", "failures", "changed_at"),
)
_IS_PARKED = (_T.c.model_key == bindparam("model"), _T.c.parked_at.is_not(None))
_IS_UNCALLED = or_(_T.c.claimed_until.is_(None), _T.c.claimed_until <= bindparam("now"))
_IS_ANOTHERS = _T.c.job_id != bindparam("job_id")
_USE = Prepared(
    sql_select(
        sql_select(func.count())
        .select_from(_T)
        .where(_T.c.model_key == bindparam("model"), _T.c.claimed_until > bindparam("now"), _IS_ANOTHERS)
        .scalar_subquery(),
        exists().where(*_IS_PARKED, _IS_ANOTHERS),
    )
)
_WAITING = sql_select(_T.c.job_id, _T.c.number).where(*_IS_PARKED, _IS_UNCALLED)
_ANY_WAITING = Prepared(_WAITING.limit(1))
_NEXT = Prepared(
    # Without waiting for a row: whoever holds it may be waiting for the lock that the caller holds.
    _WAITING.order_by(_T.c.parked_at, _T.c.job_id).limit(bindparam("at_most")).with_for_update(skip_locked=True)
)
_RESERVE = Prepared(
    update(_T).where(_T.c.job_id == bindparam("of_job"), _T.c.number == bindparam("of_number")), ("claimed_until",)
)
_PARKED_BEFORE = Prepared(
    _WAITING.where(_T.c.parked_at < bindparam("before")).order_by(_T.c.parked_at).limit(bindparam("at_most"))
)
_UNPARK = Prepared(
    update(_T)
    .where(_T.c.job_id == bindparam("of_job"), _T.c.number == bindparam("of_number"), _T.c.parked_at.is_not(None))
    .values(parked_at=None, model_key=None, claimed_until=None)
)


def find_all(session: Session) -> Sequence[ModelCircuit]:
    """Every model that was in trouble or has a limit; there are few."""
    return [_CIRCUITS.make(values) for values in _ALL.rows(session)]


def lock(session: Session, model: str) -> ModelCircuit | None:
    """The model's row, which nobody else changes until this transaction ends. Lock job and turn before it."""
    found = _LOCK.row(session, model=model)
    return _CIRCUITS.hold(session, found) if found else None


def lock_or_add(session: Session, model: str, now: datetime) -> ModelCircuit:
    """Likewise, of a model that may be new."""
    circuit = lock(session, model)
    if circuit is None:
        _ADD.send(session, model=model, failures=0, changed_at=now)
        circuit = lock(session, model)
    if circuit is None:
        raise RuntimeError(f"The row of the model {model} is gone.")
    return circuit


def use_of(session: Session, model: str, now: datetime, *, but_job: str = "") -> tuple[int, bool]:
    """How many calls of the model are claimed or promised, and whether turns wait for it; not counting one job."""
    found = _USE.row(session, model=model, now=now, job_id=but_job)
    return (int(found[0]), bool(found[1])) if found else (0, False)


def has_waiting(session: Session, model: str, now: datetime) -> bool:
    """True when turns wait for the model that nobody has been told to go on with."""
    return _ANY_WAITING.row(session, model=model, now=now) is not None


def promise_next(session: Session, model: str, now: datetime, until: datetime, at_most: int) -> list[str]:
    """The jobs whose turns have waited longest; each has a place among the model's calls kept until then."""
    found = _NEXT.rows(session, model=model, now=now, at_most=at_most)
    for job_id, number in found:
        _RESERVE.send(session, of_job=job_id, of_number=number, claimed_until=until)
    return [job_id for job_id, _ in found]


def parked_before(session: Session, model: str, now: datetime, before: datetime, at_most: int) -> list[tuple[str, int]]:
    """Job and number of turns that have waited for the model since before then."""
    rows = _PARKED_BEFORE.rows(session, model=model, now=now, before=before, at_most=at_most)
    return [(job_id, number) for job_id, number in rows]


def unpark(session: Session, job_id: str, number: int) -> None:
    """The turn waits for no model any more. Its job's row must be locked."""
    _UNPARK.send(session, of_job=job_id, of_number=number)
