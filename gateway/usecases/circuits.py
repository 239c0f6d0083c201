"""Which model calls may be made now: not more of one model than its limit, and hardly any while it does not answer.

A turn that must wait is *parked*: it keeps its place as a row, nothing of it is
queued, and it is told to go on when a place is free, when it is its turn to
try whether the model is back, or when the model has answered somebody else.
"""

from datetime import datetime, timedelta

from gateway.domain.event import EventName
from gateway.domain.job import JobStatus
from gateway.domain.turn import ModelTrouble
from gateway.store import circuits, events, jobs, turns
from gateway.store.session import Session
from gateway.store.tables import Job, ModelCircuit, Turn
from gateway.usecases import progress
from gateway.usecases.gateway import Gateway

PROMISE_S = 30.0  # a place that was promised is given to somebody else when it was not taken by then
FIRST_WAKES = 4  # when a model is back: a few at once, the others by the sweep
WAKES_PER_SWEEP = 50
GIVE_UP_BATCH = 100
FORGET_AFTER_S = 600.0

#: The model's server could not be reached or did not want to be: the next call will hardly fare better.
_OUTAGES = frozenset({"model_unavailable", "model_rate_limited"})


def admit(gateway: Gateway, session: Session, job: Job, turn: Turn, is_any_in_trouble: bool, now: datetime) -> bool:
    """True when the turn's model call may be made now; else the turn is parked. Both rows are locked.

    A model without a limit costs no statement while no model is in trouble.
    """
    limit = _limit_of(gateway, _name_of(job))
    if limit is None and not is_any_in_trouble:
        turn.parked_at = turn.model_key = None
        return True
    key = _key_of(gateway, job)
    circuit = circuits.lock(session, key) if limit is None else circuits.lock_or_add(session, key, now)
    if circuit is not None and circuit.open_until is not None and circuit.open_until > now:
        _delay(session, job, turn, circuit.open_until, now)
        _park(turn, key, now)
        return False
    if limit is not None and not _has_place(session, turn, key, limit, now):
        _park(turn, key, now)
        return False
    if circuit is not None and circuit.open_until is not None:
        # This call tries whether the model is back; the next one to try comes an interval later.
        circuit.open_until = now + timedelta(seconds=gateway.policy.circuit_probe_s)
    turn.parked_at = None
    turn.model_key = None if limit is None else key
    return True


def leave(gateway: Gateway, session: Session, turn: Turn, now: datetime) -> None:
    """The turn's model call is over: its place is the one's that has waited longest."""
    key, turn.model_key = turn.model_key, None
    turn.claimed_by = turn.claimed_until = None
    if key is not None:
        _wake(gateway, session, key, 1, now)


def note_answer(gateway: Gateway, session: Session, job: Job, is_any_in_trouble: bool, now: datetime) -> None:
    """The job's model has answered: whoever waits for that may go on."""
    circuit = circuits.lock(session, _key_of(gateway, job)) if is_any_in_trouble else None
    if circuit is None or not circuit.failures:
        return
    was_open = circuit.open_until is not None
    circuit.failures, circuit.open_until, circuit.changed_at = 0, None, now
    if was_open:
        _wake(gateway, session, circuit.model, _places(gateway, session, circuit, FIRST_WAKES, now), now)


def note_trouble(gateway: Gateway, session: Session, job: Job, trouble: ModelTrouble, now: datetime) -> datetime | None:
    """The job's model gave no answer; until when nobody asks it, None while everybody still does."""
    policy = gateway.policy
    if trouble.code not in _OUTAGES or not policy.circuit_failures:
        return None
    circuit = circuits.lock_or_add(session, _key_of(gateway, job), now)
    circuit.failures += 1
    circuit.changed_at = now
    if circuit.failures < policy.circuit_failures:
        return None
    asked_s = min(trouble.retry_after_s or 0.0, policy.retry_max_s)
    circuit.open_until = now + timedelta(seconds=max(policy.circuit_probe_s, asked_s))
    return circuit.open_until


def park(gateway: Gateway, job: Job, turn: Turn, now: datetime) -> None:
    """The turn waits until its model is back. Both rows are locked."""
    _park(turn, _key_of(gateway, job), now)


def wake_waiting(gateway: Gateway) -> int:
    """Turns for which a model has a place, or whose turn it is to try it, go on; how many there were.

    Turns that have waited too long for a model that does not answer have failed with their jobs.
    """
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        known = circuits.find_all(session)
        waited_for = {row.model for row in known if circuits.has_waiting(session, row.model, now)}
    woken = 0
    for row in known:
        if row.model in waited_for:
            woken += _look_after(gateway, row, now)
        elif row.failures and row.changed_at < now - timedelta(seconds=FORGET_AFTER_S):
            _forget(gateway, row)
    return woken


def _key_of(gateway: Gateway, job: Job) -> str:
    return f"{_name_of(job)}{_server_of(gateway)}"


def _server_of(gateway: Gateway) -> str:
    return f" at {gateway.policy.model_server}"


def _name_of(job: Job) -> str:
    return f"agent:{job.agent_id}" if job.agent_id else job.model or ""


def _limit_of(gateway: Gateway, name: str) -> int | None:
    limits = gateway.policy.model_limits
    return limits.get(name, limits.get("*")) if limits else None


def _has_place(session: Session, turn: Turn, key: str, limit: int, now: datetime) -> bool:
    # The lock on the model's row makes counting and claiming one: two workers never count the same free place.
    claimed, others_wait = circuits.use_of(session, key, now, but_job=turn.job_id)
    is_promised = turn.parked_at is not None and turn.claimed_until is not None and turn.claimed_until > now
    return claimed < limit and (is_promised or not others_wait)


def _places(gateway: Gateway, session: Session, circuit: ModelCircuit, at_most: int, now: datetime) -> int:
    """How many turns may be woken: one to try a model that did not answer, else as many as it has places for."""
    if circuit.open_until is not None:
        return 1 if circuit.open_until <= now else 0
    limit = _limit_of(gateway, circuit.model.removesuffix(_server_of(gateway)))
    if limit is None:
        return at_most
    claimed, _ = circuits.use_of(session, circuit.model, now)
    return max(0, min(at_most, limit - claimed))


def _park(turn: Turn, key: str, now: datetime) -> None:
    turn.model_key = key
    turn.parked_at = turn.parked_at or now
    turn.claimed_by = turn.claimed_until = None


def _delay(session: Session, job: Job, turn: Turn, until: datetime, now: datetime) -> None:
    """The feed says once that the job waits for its model."""
    if turn.parked_at is not None:
        return
    if jobs.set_status(job, JobStatus.RUNNING, now):
        events.record(session, job, EventName.JOB_STARTED, now)
    events.record(
        session, job, EventName.TURN_DELAYED, now, round=turn.number, attempt=turn.attempts,
        reason="The model does not answer at present.", retry_at=until.isoformat(),
    )  # fmt: skip


def _wake(gateway: Gateway, session: Session, key: str, at_most: int, now: datetime) -> int:
    if at_most <= 0:
        return 0
    woken = circuits.promise_next(session, key, now, now + timedelta(seconds=PROMISE_S), at_most)
    for job_id in woken:
        gateway.engine.enqueue_advance(session, job_id, progress.piece_of(now))
    return len(woken)


def _look_after(gateway: Gateway, row: ModelCircuit, now: datetime) -> int:
    if row.open_until is not None:
        _give_up(gateway, row.model)
        if row.open_until > now:
            return 0
    if not row.model.endswith(_server_of(gateway)):
        return 0  # workers that ask another server look after it
    with gateway.database.write() as session:
        circuit = circuits.lock(session, row.model)
        now = gateway.database.now(session)
        places = _places(gateway, session, circuit, WAKES_PER_SWEEP, now) if circuit is not None else 0
        return _wake(gateway, session, row.model, places, now)


def _give_up(gateway: Gateway, key: str) -> None:
    give_up_s = gateway.policy.model_give_up_s
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        before = now - timedelta(seconds=give_up_s)
        late = circuits.parked_before(session, key, now, before, GIVE_UP_BATCH)
    for job_id, number in late:
        with gateway.database.write() as session:
            job = jobs.lock(session, job_id)
            turn = turns.hold(session, job_id, number)
            if job is None or turn is None or turn.parked_at is None or JobStatus(job.status).is_final:
                continue
            turn.parked_at = turn.model_key = turn.claimed_until = None
            message = turn.last_error or f"The model gave nobody an answer for {give_up_s:.0f} s."
            now = gateway.database.now(session)
            progress.end(
                session, job, JobStatus.FAILED, now, error_code="model_unavailable", error_message=message
            )  # fmt: skip


def _forget(gateway: Gateway, row: ModelCircuit) -> None:
    """Old trouble of a model that nobody asks any more costs nobody anything."""
    with gateway.database.write() as session:
        circuit = circuits.lock(session, row.model)
        if circuit is not None and circuit.changed_at == row.changed_at:
            circuit.failures, circuit.open_until = 0, None
