"""The outbox: written with the change, claimed once, sent again until it is delivered or given up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.delivery import MAX_ATTEMPTS, PAUSES_S, DeliveryStatus, Outcome, Target
from gateway.domain.permission import AppActor, Role, Scope
from gateway.errors import DeliveryDropped, DeliveryPending, NotAllowed, NotFound
from gateway.store.tables import Approval, Delivery
from gateway.usecases import approvals, deliveries
from gateway.usecases.deliveries import LEASE_S, Message
from gateway.usecases.gateway import Gateway
from tests.clock import SteppedDatabase
from tests.factories import (
    ask,
    call,
    change_approval,
    decide,
    load_delivery,
    make_app,
    make_gateway,
    make_person,
)
from tests.fakes import RecordingTool

TAKEN = Outcome(is_delivered=True, status=200)
REFUSED = Outcome(is_delivered=False, status=500, error="The receiver answered 500.")
GONE = Outcome(is_delivered=False, status=410, error="No.", is_permanent=True)
URL = "https://hooks.example.com/x"
SHOP = make_app("shop")


@pytest.fixture
def gateway(stepped_database: SteppedDatabase) -> Gateway:
    return make_gateway(stepped_database, RecordingTool(), undo_hold_s=5.0)


def queue(gateway: Gateway, **given: Any) -> Delivery:
    with gateway.database.write() as session:
        now = given.pop("now", None) or gateway.database.now(session)
        given = {"event": "job.succeeded", "url": URL, "body": '{"a":1}', "owner": SHOP.owner, "app": "shop", **given}
        return deliveries.queue(session, now=now, **given)


def claim_one(gateway: Gateway) -> Message:
    [message] = deliveries.claim_due(gateway, 10)
    return message


def due_in_s(gateway: Gateway, delivery: Delivery) -> float:
    with gateway.database.read() as session:
        return (load_delivery(gateway, delivery.id).due_at - gateway.database.now(session)).total_seconds()


def test_message_is_there_with_its_change_or_not_at_all(gateway: Gateway) -> None:
    def fail_after_queueing() -> None:
        with gateway.database.write() as session:
            now = gateway.database.now(session)
            deliveries.queue(session, event="job.failed", url=URL, body="{}", owner="app:shop", now=now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_queueing()
    assert deliveries.claim_due(gateway, 10) == []

    row = queue(gateway)

    assert claim_one(gateway) == Message(row.id, 1, "job.succeeded", URL, '{"a":1}', "standard", "app:shop")


def test_whoever_claims_has_it_alone(gateway: Gateway) -> None:
    rows = [queue(gateway) for _ in range(40)]

    with ThreadPoolExecutor(8) as pool:
        claimed = [each for batch in pool.map(lambda _: deliveries.claim_due(gateway, 5), range(8)) for each in batch]

    # On PostgreSQL nobody waits for a row that another one is taking: what was passed over is left for the next look.
    claimed += deliveries.claim_due(gateway, 40)
    assert sorted(message.id for message in claimed) == sorted(row.id for row in rows)
    assert {message.attempt for message in claimed} == {1}
    assert deliveries.claim_due(gateway, 40) == []


def test_oldest_are_claimed_first_and_no_more_than_asked_for(gateway: Gateway) -> None:
    rows = [queue(gateway) for _ in range(5)]
    assert [message.id for message in deliveries.claim_due(gateway, 3)] == [row.id for row in rows[:3]]
    assert [message.id for message in deliveries.claim_due(gateway, 3)] == [row.id for row in rows[3:]]


def test_messages_of_a_busy_owner_are_left(gateway: Gateway) -> None:
    queue(gateway)
    other = queue(gateway, owner="app:other")

    assert [message.id for message in deliveries.claim_due(gateway, 10, but_owners=["app:shop"])] == [other.id]
    assert deliveries.next_due(gateway, Target.CALLBACK, but_owners=["app:shop", "app:other"]) is None
    assert (deliveries.next_due(gateway, Target.CALLBACK, but_owners=["app:other"]) or 1) <= 0


def test_delivered_message_is_done_with(gateway: Gateway) -> None:
    row = queue(gateway)
    deliveries.record(gateway, claim_one(gateway), TAKEN)

    found = load_delivery(gateway, row.id)
    assert (found.status, found.attempts, found.last_status, found.last_error) == ("delivered", 1, 200, None)
    assert found.delivered_at is not None
    assert found.claimed_until is None
    assert deliveries.next_due(gateway, Target.CALLBACK) is None


def test_refused_message_is_tried_again_for_about_a_day_then_given_up(
    gateway: Gateway, stepped_database: SteppedDatabase
) -> None:
    row, ids, waited_s = queue(gateway), set(), 0.0
    for attempt in range(1, MAX_ATTEMPTS + 1):
        message = claim_one(gateway)
        ids.add(message.id)
        assert message.attempt == attempt
        deliveries.record(gateway, message, REFUSED)
        if attempt == MAX_ATTEMPTS:
            break
        pause_s = due_in_s(gateway, row)
        assert PAUSES_S[attempt - 1] - 0.1 <= pause_s <= PAUSES_S[attempt - 1] * 1.2
        assert deliveries.claim_due(gateway, 10) == [], "not before its time"
        stepped_database.pass_time(pause_s + 0.001)
        waited_s += pause_s

    found = load_delivery(gateway, row.id)
    assert ids == {row.id}
    assert (found.status, found.attempts, found.last_error) == ("failed", MAX_ATTEMPTS, REFUSED.error)
    assert 20 * 3600 < waited_s < 28 * 3600
    assert deliveries.next_due(gateway, Target.CALLBACK) is None


def test_permanent_refusal_ends_it_at_once(gateway: Gateway) -> None:
    row = queue(gateway)
    deliveries.record(gateway, claim_one(gateway), GONE)
    assert load_delivery(gateway, row.id).status == "failed"


def test_pause_that_a_receiver_asks_for_is_kept_within_bounds(gateway: Gateway) -> None:
    long, endless = queue(gateway), queue(gateway)
    for message, asked_s in zip(deliveries.claim_due(gateway, 2), (100.0, 1e9), strict=True):
        deliveries.record(gateway, message, Outcome(is_delivered=False, status=429, retry_after_s=asked_s))
    assert due_in_s(gateway, long) == pytest.approx(100, abs=1)
    assert due_in_s(gateway, endless) == pytest.approx(6 * 3600, abs=1)


def test_message_of_a_sender_that_died_is_sent_again_after_its_lease(
    gateway: Gateway, stepped_database: SteppedDatabase
) -> None:
    row = queue(gateway)
    lost = claim_one(gateway)
    stepped_database.pass_time(LEASE_S - 1)
    assert deliveries.claim_due(gateway, 10) == []
    stepped_database.pass_time(2)

    again = claim_one(gateway)

    assert (again.id, again.attempt) == (lost.id, 2) == (row.id, 2)
    # The one that was taken for dead does not write over the other one's attempt.
    deliveries.record(gateway, lost, GONE)
    assert load_delivery(gateway, row.id).status == "pending"
    deliveries.record(gateway, again, TAKEN)
    deliveries.record(gateway, lost, REFUSED)
    assert load_delivery(gateway, row.id).status == "delivered"


def test_attempt_that_was_broken_off_may_begin_anew_at_once(gateway: Gateway) -> None:
    queue(gateway)
    deliveries.give_back(gateway, claim_one(gateway))
    assert claim_one(gateway).attempt == 2


class TestRedelivering:
    def delivered(self, gateway: Gateway, outcome: Outcome = TAKEN) -> Delivery:
        row = queue(gateway)
        deliveries.record(gateway, claim_one(gateway), outcome)
        return row

    @pytest.mark.parametrize("outcome", [TAKEN, GONE])
    def test_app_has_its_message_sent_again_under_the_same_id(self, gateway: Gateway, outcome: Outcome) -> None:
        row = self.delivered(gateway, outcome)

        again = deliveries.redeliver(gateway, SHOP, row.id)

        assert (again.id, again.status, again.delivered_at) == (row.id, "pending", None)
        message = claim_one(gateway)
        assert (message.id, message.attempt, message.body) == (row.id, 2, row.body)

    def test_admin_may_too(self, gateway: Gateway) -> None:
        row = self.delivered(gateway)
        assert deliveries.redeliver(gateway, make_person(gateway, role=Role.ADMIN), row.id).status == "pending"

    @pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR])
    def test_other_people_may_not(self, gateway: Gateway, role: Role) -> None:
        row = self.delivered(gateway)
        with pytest.raises(NotAllowed):
            deliveries.redeliver(gateway, make_person(gateway, role=role), row.id)

    def test_key_without_the_scope_may_not(self, gateway: Gateway) -> None:
        row = self.delivered(gateway)
        with pytest.raises(NotAllowed):
            deliveries.redeliver(gateway, AppActor("shop", "key", frozenset({Scope.READ})), row.id)

    def test_what_belongs_to_another_app_does_not_exist(self, gateway: Gateway) -> None:
        row = self.delivered(gateway)
        for actor, delivery_id in ((make_app("other"), row.id), (SHOP, "dlv_" + "0" * 26)):
            with pytest.raises(NotFound):
                deliveries.redeliver(gateway, actor, delivery_id)

    def test_pending_message_is_tried_by_itself(self, gateway: Gateway) -> None:
        row = queue(gateway)
        with pytest.raises(DeliveryPending):
            deliveries.redeliver(gateway, SHOP, row.id)
        claim_one(gateway)
        with pytest.raises(DeliveryPending):
            deliveries.redeliver(gateway, SHOP, row.id)

    def test_one_of_many_who_ask_at_once_is_heard(self, gateway: Gateway) -> None:
        row = self.delivered(gateway)

        def ask_again(_: int) -> bool:
            try:
                deliveries.redeliver(gateway, SHOP, row.id)
            except DeliveryPending:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(ask_again, range(8))) == 1

    def test_after_the_last_attempt_one_more_is_made_and_no_other(
        self, gateway: Gateway, stepped_database: SteppedDatabase
    ) -> None:
        row = queue(gateway)
        for _ in range(MAX_ATTEMPTS):
            deliveries.record(gateway, claim_one(gateway), REFUSED)
            stepped_database.pass_time(8 * 3600)
        deliveries.redeliver(gateway, SHOP, row.id)
        deliveries.record(gateway, claim_one(gateway), REFUSED)
        found = load_delivery(gateway, row.id)
        assert (found.status, found.attempts) == ("failed", MAX_ATTEMPTS + 1)


class TestDecisions:
    """What a caller queues when an approval is decided."""

    def decided(self, gateway: Gateway, *, channel: str) -> tuple[Approval, Delivery]:
        [asked] = ask(gateway, call("send"), actor=SHOP)
        return self.decided_again(gateway, asked, channel=channel)

    def decided_again(self, gateway: Gateway, asked: Approval, *, channel: str) -> tuple[Approval, Delivery]:
        approval = decide(gateway, make_person(gateway), asked, channel=channel)
        row = queue(
            gateway, event="approval.decided", approval_id=approval.id, now=approval.decided_at,
            due_at=approval.release_at,
        )  # fmt: skip
        return approval, row

    def test_released_decision_is_told_at_once(self, gateway: Gateway) -> None:
        _, row = self.decided(gateway, channel="api")
        assert claim_one(gateway).id == row.id

    def test_held_decision_is_told_at_its_release(self, gateway: Gateway, stepped_database: SteppedDatabase) -> None:
        _, row = self.decided(gateway, channel="page")
        assert deliveries.claim_due(gateway, 10) == []
        assert deliveries.next_due(gateway, Target.CALLBACK) == pytest.approx(5.0, abs=0.1)
        stepped_database.pass_time(5.1)
        assert claim_one(gateway).id == row.id

    def test_undone_decision_is_never_told(self, gateway: Gateway, stepped_database: SteppedDatabase) -> None:
        approval, row = self.decided(gateway, channel="page")
        approvals.undo(gateway, make_person(gateway), approval.id)
        stepped_database.pass_time(6)

        assert deliveries.claim_due(gateway, 10) == []

        found = load_delivery(gateway, row.id)
        assert (found.status, found.last_error) == ("dropped", "The decision was taken back before this was sent.")
        with pytest.raises(DeliveryDropped):
            deliveries.redeliver(gateway, SHOP, row.id)

    def test_only_the_decision_that_stands_is_told(self, gateway: Gateway, stepped_database: SteppedDatabase) -> None:
        approval, first = self.decided(gateway, channel="page")
        reopened = approvals.undo(gateway, make_person(gateway), approval.id)
        stepped_database.pass_time(1)
        _, second = self.decided_again(gateway, reopened, channel="page")
        stepped_database.pass_time(6)

        assert claim_one(gateway).id == second.id
        assert load_delivery(gateway, first.id).status == "dropped"

    def test_decision_that_is_still_held_waits_whatever_its_row_says(
        self, gateway: Gateway, stepped_database: SteppedDatabase
    ) -> None:
        approval, row = self.decided(gateway, channel="page")
        assert approval.release_at is not None
        change_approval(gateway, approval.id, release_at=approval.release_at + timedelta(seconds=60))
        stepped_database.pass_time(6)
        assert deliveries.claim_due(gateway, 10) == []
        assert due_in_s(gateway, row) == pytest.approx(59, abs=1)
        stepped_database.pass_time(60)
        assert claim_one(gateway).id == row.id


def test_states_in_the_database_are_those_of_the_table(gateway: Gateway) -> None:
    assert {status.value for status in DeliveryStatus} == {"pending", "delivered", "failed", "dropped"}
