"""Models that do not answer, and models of which only so many calls may be made at a time."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.turn import ModelTrouble
from gateway.runner.worker import Worker
from gateway.store import executors
from gateway.store.session import Database
from gateway.store.tables import ModelCircuit
from gateway.usecases import circuits, deadlines, jobs, recovery, turns
from gateway.usecases.gateway import Gateway
from gateway.usecases.turns import Claim
from tests.factories import (
    ago,
    answer,
    call,
    change_circuit,
    change_job,
    change_turn,
    event_names,
    load_events,
    load_job,
    load_turn,
    make_app,
    make_gateway,
    submit,
)
from tests.fakes import RecordingTool, ScriptedModel
from tests.usecases.test_races import all_at_once

DOWN = ModelTrouble("model_unavailable", "Mistral answered 503", is_permanent=False)
FAILURES = 2


@pytest.fixture
def model() -> str:
    """A model that no other test has asked."""
    return f"model-{uuid.uuid4().hex[:12]}"


def make(database: Database, **policy: Any) -> Gateway:
    return make_gateway(database, RecordingTool(), **{"circuit_failures": FAILURES, "circuit_probe_s": 60.0, **policy})


def submit_many(gateway: Gateway, model: str, count: int, **job: Any) -> list[str]:
    return [submit(gateway, model=model, **job).job.id for _ in range(count)]


def claimed(gateway: Gateway, job_id: str) -> Claim:
    claim = turns.claim_turn(gateway, job_id)
    assert claim is not None
    return claim


def break_down(gateway: Gateway, model: str, trouble: ModelTrouble = DOWN) -> list[str]:
    """The model has failed so often that nobody asks it any more; the jobs that found out."""
    found_out = submit_many(gateway, model, FAILURES)
    for job_id in found_out:
        turns.record_trouble(gateway, claimed(gateway, job_id), trouble)
    return found_out


def let_try(gateway: Gateway, model: str) -> None:
    """The time until the next try has passed."""
    change_circuit(gateway, model, open_until=ago(gateway, 0.001))


def is_told_to_go_on(gateway: Gateway, job_id: str) -> bool:
    turn = load_turn(gateway, job_id)
    return turn.claimed_by is None and turn.claimed_until is not None and turn.claimed_until > ago(gateway, 0)


def circuit_of(gateway: Gateway, model: str) -> ModelCircuit:
    with gateway.database.read() as session:
        found = session.get(ModelCircuit, f"{model} at mistral")
    assert found is not None
    return found


class TestModelThatDoesNotAnswer:
    def test_jobs_stop_asking_after_some_failures_in_a_row(self, database: Database, model: str) -> None:
        gateway = make(database)
        first, second = submit_many(gateway, model, 2)
        [other] = submit_many(gateway, model, 1)

        turns.record_trouble(gateway, claimed(gateway, first), DOWN)
        assert load_turn(gateway, first).parked_at is None, "one failure is none of the model's"
        turns.record_trouble(gateway, claimed(gateway, second), DOWN)
        asked = ScriptedModel()
        for _ in range(3):
            Worker(gateway, asked).advance_job(other)

        assert asked.requests == []
        assert event_names(gateway, other) == ["job.submitted", "job.started", "turn.delayed"], "told once"
        facts = json.loads(load_events(gateway, other)[-1].data)
        circuit = circuit_of(gateway, model)
        assert circuit.open_until is not None
        assert facts == {
            "round": 1, "attempt": 0, "reason": "The model does not answer at present.",
            "retry_at": circuit.open_until.isoformat(),
        }  # fmt: skip
        assert load_job(gateway, other).status == "running", "people are not awaited"
        turn = load_turn(gateway, second)
        assert (turn.retry_at, turn.parked_at is not None, turn.claimed_by) == (circuit.open_until, True, None)

    def test_other_models_are_asked_as_before(self, database: Database, model: str) -> None:
        gateway = make(database)
        break_down(gateway, model)
        of_agent = submit(gateway, agent_id=model).job.id
        [of_other] = submit_many(gateway, f"{model}-2", 1)

        for job_id in (of_agent, of_other):
            claimed(gateway, job_id)

    def test_an_answer_in_between_starts_the_count_anew(self, database: Database, model: str) -> None:
        gateway = make(database)
        failing, working, last = submit_many(gateway, model, 3)

        turns.record_trouble(gateway, claimed(gateway, failing), DOWN)
        turns.record_answer(gateway, claimed(gateway, working), answer(text="Here."))
        turns.record_trouble(gateway, claimed(gateway, last), DOWN)

        assert (circuit_of(gateway, model).failures, circuit_of(gateway, model).open_until) == (1, None)

    @pytest.mark.parametrize("code", ["model_refused", "model_unauthorized", "model_bad_answer"])
    def test_trouble_of_one_job_is_not_the_models(self, database: Database, model: str, code: str) -> None:
        gateway = make(database)
        trouble = ModelTrouble(code, "400", is_permanent=code != "model_bad_answer")
        for job_id in submit_many(gateway, model, FAILURES + 1):
            turns.record_trouble(gateway, claimed(gateway, job_id), trouble)

        claimed(gateway, submit_many(gateway, model, 1)[0])

    @pytest.mark.parametrize(("asked_s", "waits_s"), [(None, 10), (5.0, 10), (30.0, 30), (3600.0, 60)])
    def test_retry_after_is_kept_to_within_a_minute(
        self, database: Database, model: str, asked_s: float | None, waits_s: float
    ) -> None:
        gateway = make(database, circuit_probe_s=10.0)
        busy = ModelTrouble("model_rate_limited", "429", is_permanent=False, retry_after_s=asked_s)

        *_, last = break_down(gateway, model, busy)

        open_until = circuit_of(gateway, model).open_until
        assert open_until is not None
        assert open_until - load_events(gateway, last)[-1].at == timedelta(seconds=waits_s)

    def test_of_many_exactly_one_tries_whether_it_is_back(self, database: Database, model: str) -> None:
        gateways = [make(database) for _ in range(2)]
        break_down(gateways[0], model)
        waiting = submit_many(gateways[0], model, 8)
        let_try(gateways[0], model)
        claims: list[Claim | None] = []

        all_at_once(
            [
                lambda job_id=job_id, n=n: claims.append(turns.claim_turn(gateways[n % 2], job_id))  # type: ignore[misc]
                for n, job_id in enumerate(waiting)
            ]
        )

        assert len([claim for claim in claims if claim is not None]) == 1
        open_until = circuit_of(gateways[0], model).open_until
        assert open_until is not None
        assert open_until > ago(gateways[0], -50), "the next one tries an interval later"

    def test_sweep_sends_the_one_that_has_waited_longest_to_try(self, database: Database, model: str) -> None:
        gateway = make(database)
        first, second = break_down(gateway, model)
        [third] = submit_many(gateway, model, 1)
        assert turns.claim_turn(gateway, third) is None
        change_turn(gateway, second, parked_at=ago(gateway, 100))
        circuits.wake_waiting(gateway)
        assert not any(is_told_to_go_on(gateway, job_id) for job_id in (second, third)), "too early"
        let_try(gateway, model)

        circuits.wake_waiting(gateway)

        assert [is_told_to_go_on(gateway, job_id) for job_id in (second, third)] == [True, False]
        assert turns.claim_turn(gateway, second) is not None
        assert turns.claim_turn(gateway, third) is None, "one is trying already"
        assert load_turn(gateway, first).parked_at is None, "its own pause came before the model's"

    def test_failed_try_leaves_all_waiting_in_their_places(self, database: Database, model: str) -> None:
        gateway = make(database)
        _, job_id = break_down(gateway, model)
        place = load_turn(gateway, job_id).parked_at
        [waiting] = submit_many(gateway, model, 1)
        assert turns.claim_turn(gateway, waiting) is None
        kept = load_turn(gateway, waiting).parked_at
        let_try(gateway, model)

        turns.record_trouble(gateway, claimed(gateway, job_id), DOWN)

        assert turns.claim_turn(gateway, waiting) is None
        assert load_turn(gateway, waiting).parked_at == kept
        assert place is not None
        assert circuit_of(gateway, model).failures == FAILURES + 1

    def test_first_answer_lets_the_others_go_on_spread(self, database: Database, model: str) -> None:
        gateway = make(database)
        _, trying = break_down(gateway, model)
        waiting = submit_many(gateway, model, circuits.FIRST_WAKES + 3)
        for job_id in waiting:
            assert turns.claim_turn(gateway, job_id) is None
        let_try(gateway, model)

        turns.record_answer(gateway, claimed(gateway, trying), answer(text="Back."))

        told = [is_told_to_go_on(gateway, job_id) for job_id in waiting]
        assert told == [True] * circuits.FIRST_WAKES + [False] * 3, "the oldest first, a few at once"
        circuits.wake_waiting(gateway)
        assert all(is_told_to_go_on(gateway, job_id) for job_id in waiting)
        for job_id in waiting:
            turns.record_answer(gateway, claimed(gateway, job_id), answer(text="Done."))
            assert load_job(gateway, job_id).status == "succeeded"
            assert event_names(gateway, job_id).count("turn.delayed") == 1
        assert load_turn(gateway, waiting[0]).parked_at is None

    def test_late_answer_of_a_cancelled_job_counts_as_one(self, database: Database, model: str) -> None:
        gateway, app = make(database), make_app()
        cancelled = submit(gateway, app, model=model).job.id
        claim = claimed(gateway, cancelled)
        break_down(gateway, model)
        jobs.cancel(gateway, app, cancelled)

        turns.record_answer(gateway, claim, answer(text="Too late."))

        assert circuit_of(gateway, model).failures == 0
        assert load_job(gateway, cancelled).status == "cancelled"

    def test_waiting_job_is_cancelled_at_once_and_is_in_nobodys_way(self, database: Database, model: str) -> None:
        gateway, app = make(database), make_app()
        break_down(gateway, model)
        waiting = submit(gateway, app, model=model).job.id
        assert turns.claim_turn(gateway, waiting) is None

        assert jobs.cancel(gateway, app, waiting).status == "cancelled"

        turn = load_turn(gateway, waiting)
        assert (turn.parked_at, turn.model_key) == (None, None)
        let_try(gateway, model)
        circuits.wake_waiting(gateway)
        assert turns.claim_turn(gateway, waiting) is None
        assert event_names(gateway, waiting)[-1] == "job.cancelled"

    def test_job_in_back_off_is_cancelled_at_once(self, database: Database, model: str) -> None:
        gateway, app = make(database), make_app()
        job = submit(gateway, app, model=model).job
        asked = ScriptedModel([DOWN])
        worker = Worker(gateway, asked)
        worker.advance_job(job.id)
        assert load_job(gateway, job.id).status == "running"

        jobs.cancel(gateway, app, job.id)
        worker.advance_job(job.id)

        assert (len(asked.requests), load_job(gateway, job.id).status) == (1, "cancelled")

    def test_deadline_passes_while_the_model_is_away(self, database: Database, model: str) -> None:
        gateway = make(database)
        break_down(gateway, model)
        [waiting] = submit_many(gateway, model, 1, deadline_s=60)
        assert turns.claim_turn(gateway, waiting) is None
        change_job(gateway, waiting, deadline_at=ago(gateway, 0.001))

        deadlines.end_overdue(gateway)

        assert load_job(gateway, waiting).error_code == "deadline"
        assert load_turn(gateway, waiting).parked_at is None

    def test_job_that_has_waited_too_long_fails(self, database: Database, model: str) -> None:
        gateway = make(database, model_give_up_s=600.0)
        break_down(gateway, model)
        late, early = submit_many(gateway, model, 2)
        for job_id in (late, early):
            assert turns.claim_turn(gateway, job_id) is None
        change_turn(gateway, late, parked_at=ago(gateway, 601))
        change_turn(gateway, early, parked_at=ago(gateway, 590))

        circuits.wake_waiting(gateway)

        job = load_job(gateway, late)
        assert (job.status, job.error_code) == ("failed", "model_unavailable")
        assert job.error_message == "The model gave nobody an answer for 600 s."
        assert load_job(gateway, early).status == "running"

    def test_recovery_leaves_waiting_jobs_alone(self, database: Database, model: str) -> None:
        gateway = make(database)
        break_down(gateway, model)
        [waiting] = submit_many(gateway, model, 1)
        assert turns.claim_turn(gateway, waiting) is None

        assert recovery._requeue_job(gateway, waiting) == 0

    def test_old_trouble_is_forgotten(self, database: Database, model: str) -> None:
        gateway = make(database)
        job_ids = break_down(gateway, model)
        for job_id in job_ids:
            change_turn(gateway, job_id, parked_at=None)
        circuits.wake_waiting(gateway)
        assert circuit_of(gateway, model).failures == FAILURES
        change_circuit(gateway, model, changed_at=ago(gateway, circuits.FORGET_AFTER_S + 1))

        circuits.wake_waiting(gateway)

        assert (circuit_of(gateway, model).failures, circuit_of(gateway, model).open_until) == (0, None)

    def test_without_the_setting_everybody_goes_on(self, database: Database, model: str) -> None:
        gateway = make(database, circuit_failures=0)

        for job_id in submit_many(gateway, model, 8):
            turns.record_trouble(gateway, claimed(gateway, job_id), DOWN)
            assert load_turn(gateway, job_id).parked_at is None


class TestLimit:
    def test_never_more_calls_than_the_limit_however_many_workers_ask(self, database: Database, model: str) -> None:
        limits = {model: 3}
        gateways = [make(database, model_limits=limits) for _ in range(3)]
        if not database.is_sqlite:
            with database.write() as session:
                for gateway in gateways:
                    executors.beat(session, gateway.engine.executor_id, database.now(session))
        waiting = submit_many(gateways[0], model, 12)
        claims: list[Claim | None] = []

        all_at_once(
            [
                lambda job_id=job_id, n=n: claims.append(turns.claim_turn(gateways[n % 3], job_id))  # type: ignore[misc]
                for n, job_id in enumerate(waiting)
            ]
        )

        assert len([claim for claim in claims if claim is not None]) == 3
        parked = [job_id for job_id in waiting if load_turn(gateways[0], job_id).parked_at is not None]
        assert len(parked) == 9
        assert {load_job(gateways[0], job_id).status for job_id in parked} == {"queued"}, "nothing was done yet"

    def test_free_place_goes_to_the_one_that_has_waited_longest(self, database: Database, model: str) -> None:
        gateway = make(database, model_limits={model: 1})
        first, second, third, newcomer = submit_many(gateway, model, 4)
        claim = claimed(gateway, first)
        for job_id in (second, third):
            assert turns.claim_turn(gateway, job_id) is None

        turns.record_answer(gateway, claim, answer(text="Done."))

        assert [is_told_to_go_on(gateway, job_id) for job_id in (second, third)] == [True, False]
        assert turns.claim_turn(gateway, newcomer) is None, "who comes later waits behind those who wait"
        assert turns.claim_turn(gateway, third) is None
        turns.record_trouble(gateway, claimed(gateway, second), DOWN)
        turns.record_answer(gateway, claimed(gateway, third), answer(text="Done."))
        claimed(gateway, newcomer)

    def test_cancelled_job_keeps_its_place_until_its_call_is_over(self, database: Database, model: str) -> None:
        gateway, app = make(database, model_limits={model: 1}), make_app()
        cancelled = submit(gateway, app, model=model).job.id
        [waiting] = submit_many(gateway, model, 1)
        claim = claimed(gateway, cancelled)
        assert turns.claim_turn(gateway, waiting) is None
        jobs.cancel(gateway, app, cancelled)
        assert turns.claim_turn(gateway, waiting) is None, "the model is still being asked"

        turns.record_answer(gateway, claim, answer(call("send")))

        claimed(gateway, waiting)
        assert load_job(gateway, cancelled).rounds == 0

    def test_job_that_is_cancelled_while_it_waits_leaves_its_place_to_the_next(
        self, database: Database, model: str
    ) -> None:
        gateway, app = make(database, model_limits={model: 1}), make_app()
        [working] = submit_many(gateway, model, 1)
        claim = claimed(gateway, working)
        cancelled = submit(gateway, app, model=model).job.id
        [last] = submit_many(gateway, model, 1)
        for job_id in (cancelled, last):
            assert turns.claim_turn(gateway, job_id) is None
        turns.record_answer(gateway, claim, answer(text="Done."))
        assert is_told_to_go_on(gateway, cancelled)

        jobs.cancel(gateway, app, cancelled)
        circuits.wake_waiting(gateway)

        claimed(gateway, last)

    def test_claim_that_lapsed_is_no_call(self, database: Database, model: str) -> None:
        gateway = make(database, model_limits={model: 1})
        lost, waiting, newcomer = submit_many(gateway, model, 3)
        claimed(gateway, lost)
        assert turns.claim_turn(gateway, waiting) is None
        change_turn(gateway, lost, claimed_until=ago(gateway, 0.001))
        assert turns.claim_turn(gateway, newcomer) is None, "the place is free, but somebody waits for it"

        circuits.wake_waiting(gateway)

        claimed(gateway, waiting)

    def test_promise_that_nobody_kept_is_made_again(self, database: Database, model: str) -> None:
        gateway = make(database, model_limits={model: 1})
        first, waiting = submit_many(gateway, model, 2)
        claim = claimed(gateway, first)
        assert turns.claim_turn(gateway, waiting) is None
        turns.record_answer(gateway, claim, answer(text="Done."))
        circuits.wake_waiting(gateway)
        change_turn(gateway, waiting, claimed_until=ago(gateway, 1))
        assert not is_told_to_go_on(gateway, waiting)

        circuits.wake_waiting(gateway)

        assert is_told_to_go_on(gateway, waiting)

    def test_star_is_the_limit_of_every_other_model(self, database: Database, model: str) -> None:
        gateway = make(database, model_limits={model: 2, "*": 1})
        own, other, agent = submit_many(gateway, model, 3), submit_many(gateway, f"{model}-2", 2), f"agent:{model}"

        assert [turns.claim_turn(gateway, job_id) is not None for job_id in own] == [True, True, False]
        assert [turns.claim_turn(gateway, job_id) is not None for job_id in other] == [True, False]
        of_agent = [submit(gateway, agent_id=model).job.id for _ in range(2)]
        assert [turns.claim_turn(gateway, job_id) is not None for job_id in of_agent] == [True, False]
        assert load_turn(gateway, of_agent[0]).model_key == f"{agent} at mistral"

    def test_limited_model_that_does_not_answer_is_tried_by_one(self, database: Database, model: str) -> None:
        gateway = make(database, model_limits={model: 2})
        _, parked = break_down(gateway, model)
        [waiting] = submit_many(gateway, model, 1)
        assert turns.claim_turn(gateway, waiting) is None
        let_try(gateway, model)
        circuits.wake_waiting(gateway)

        claim = claimed(gateway, parked)
        assert turns.claim_turn(gateway, waiting) is None
        turns.record_answer(gateway, claim, answer(text="Back."))

        claimed(gateway, waiting)
