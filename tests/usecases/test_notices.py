"""Telling reviewers that calls wait: each call once, one by one or together."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.domain.approval import Reject
from gateway.domain.delivery import Outcome
from gateway.domain.permission import Role
from gateway.store.tables import Delivery
from gateway.usecases import deliveries, jobs, notices
from gateway.usecases.deliveries import LEASE_S
from gateway.usecases.gateway import Gateway
from gateway.usecases.notices import FEW, Notice
from tests.clock import SteppedDatabase
from tests.factories import ask, call, decide, load_deliveries, make_app, make_gateway, make_person
from tests.fakes import RecordingTool

TAKEN = Outcome(is_delivered=True)
REFUSED = Outcome(is_delivered=False, error="The notification service did not take it.")


@pytest.fixture
def gateway(stepped_database: SteppedDatabase) -> Gateway:
    tools = RecordingTool(risk="high"), RecordingTool("look_up", approval="auto")
    return make_gateway(stepped_database, *tools, tells_reviewers=True)


def rows(gateway: Gateway) -> list[Delivery]:
    return list(load_deliveries(gateway))


def tell(gateway: Gateway, outcome: Outcome = TAKEN) -> list[int]:
    """Everything that is due is told; of how many calls each message is."""
    claimed = notices.claim_due(gateway)
    for notice in claimed:
        notices.record(gateway, notice, outcome)
    return [len(notice.rows) for notice in claimed]


def states(gateway: Gateway) -> list[str]:
    return [row.status for row in rows(gateway)]


def test_each_call_that_waits_is_told_of_once(gateway: Gateway, stepped_database: SteppedDatabase) -> None:
    first, second = ask(gateway, call("send"), call("send"))

    claimed = notices.claim_due(gateway)

    assert claimed == [
        Notice(((row.id, 1),), approval.id, "send", "high")
        for row, approval in zip(rows(gateway), (first, second), strict=True)
    ]
    for notice in claimed:
        notices.record(gateway, notice, TAKEN)
    stepped_database.pass_time(24 * 3600)
    assert notices.claim_due(gateway) == []
    assert states(gateway) == ["delivered"] * 2
    assert {(row.target, row.url, row.body, row.owner, row.app) for row in rows(gateway)} == {
        ("notify", None, None, "gateway", None)
    }


def test_call_that_needs_no_person_is_not_told_of(gateway: Gateway) -> None:
    ask(gateway, call("look_up"), call("unknown_tool"), call("send", "no JSON"))
    ask(gateway, call("send"), permission="deny")
    assert rows(gateway) == []


def test_nothing_is_written_where_nobody_is_to_be_told(stepped_database: SteppedDatabase) -> None:
    gateway = make_gateway(stepped_database, RecordingTool())
    ask(gateway, call("send"))
    assert rows(gateway) == []


def test_decided_call_is_not_told_of_any_more(gateway: Gateway) -> None:
    [rejected], [cancelled] = ask(gateway, call("send")), ask(gateway, call("send"), actor=make_app("shop"))
    decide(gateway, make_person(gateway), rejected, Reject())
    jobs.cancel(gateway, make_app("shop"), cancelled.job_id or "")

    assert notices.claim_due(gateway) == []
    assert states(gateway) == ["dropped", "dropped"]


def test_many_calls_at_once_are_one_message(gateway: Gateway) -> None:
    ask(gateway, *[call("send")] * (FEW + 5))
    assert tell(gateway) == [FEW + 5]
    assert states(gateway) == ["delivered"] * (FEW + 5)


def test_after_a_few_within_a_minute_the_others_wait_for_its_end(
    gateway: Gateway, stepped_database: SteppedDatabase
) -> None:
    for _ in range(FEW):
        ask(gateway, call("send"))
        assert tell(gateway) == [1]
        stepped_database.pass_time(1)
    for _ in range(4):
        ask(gateway, call("send"))
        assert tell(gateway) == []
        stepped_database.pass_time(10)
    stepped_database.pass_time(18)
    assert tell(gateway) == []
    stepped_database.pass_time(2)
    assert tell(gateway) == [4]


def test_under_load_there_is_one_message_a_minute(gateway: Gateway, stepped_database: SteppedDatabase) -> None:
    told = []
    for _ in range(300):
        ask(gateway, call("send"))
        told.append(tell(gateway))
        stepped_database.pass_time(1)
    stepped_database.pass_time(60)
    told.append(tell(gateway))

    messages = [count for each in told for count in each]
    assert sum(messages) == 300
    assert messages[:FEW] == [1] * FEW
    assert FEW + 4 <= len(messages) <= FEW + 6, messages


def test_calls_that_were_decided_meanwhile_are_left_out_of_the_digest(gateway: Gateway) -> None:
    asked = ask(gateway, *[call("send")] * 6)
    for approval in asked[:2]:
        decide(gateway, make_person(gateway), approval, Reject())
    assert tell(gateway) == [4]
    assert states(gateway) == ["dropped"] * 2 + ["delivered"] * 4


def test_digest_that_failed_is_tried_again_as_one(gateway: Gateway, stepped_database: SteppedDatabase) -> None:
    ask(gateway, *[call("send")] * 6)
    assert tell(gateway, REFUSED) == [6]
    assert {(row.status, row.last_error) for row in rows(gateway)} == {("pending", REFUSED.error)}
    assert tell(gateway) == []
    stepped_database.pass_time(7)
    assert tell(gateway) == [6]


def test_nobody_tells_anything_while_somebody_does(gateway: Gateway, stepped_database: SteppedDatabase) -> None:
    ask(gateway, *[call("send")] * 6)
    with ThreadPoolExecutor(6) as pool:
        claimed = [notice for each in pool.map(lambda _: notices.claim_due(gateway), range(6)) for notice in each]
    assert [len(notice.rows) for notice in claimed] == [6]
    ask(gateway, call("send"))
    assert notices.claim_due(gateway) == []

    # Whoever was at it has died: the same rows are told, and what came since.
    stepped_database.pass_time(LEASE_S + 1)
    assert tell(gateway) == [7]
    notices.record(gateway, claimed[0], REFUSED)
    assert states(gateway) == ["delivered"] * 7


def test_message_that_was_broken_off_may_begin_anew_at_once(gateway: Gateway) -> None:
    ask(gateway, call("send"))
    [notice] = notices.claim_due(gateway)
    notices.give_back(gateway, notice)
    assert tell(gateway) == [1]


def test_admin_may_have_it_told_again(gateway: Gateway) -> None:
    ask(gateway, call("send"))
    tell(gateway)
    deliveries.redeliver(gateway, make_person(gateway, role=Role.ADMIN), rows(gateway)[0].id)
    assert tell(gateway) == [1]


def test_it_holds_no_arguments_and_no_words_of_the_model(gateway: Gateway) -> None:
    [approval] = ask(gateway, call("send", '{"to":"argument"}'))
    [notice] = notices.claim_due(gateway)
    assert "argument" not in repr(notice)
    assert notice.approval_id == approval.id


def test_callbacks_are_not_taken_for_notices(gateway: Gateway) -> None:
    ask(gateway, call("send"))
    assert deliveries.claim_due(gateway, 10) == []
