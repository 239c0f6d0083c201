"""The address that a program gave is told of the decision: once it is released, signed in both ways, if allowed."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from cheqpoint import CheqpointClient
from standardwebhooks import Webhook

from gateway.domain.approval import Approve, Reject
from gateway.domain.callback_url import read_allowed
from gateway.errors import CallbackRefused
from gateway.notifications.dispatch import Dispatcher
from gateway.notifications.signing import cheqpoint_headers
from gateway.notifications.webhook import Webhooks
from gateway.store.session import Database
from gateway.store.tables import Delivery
from gateway.usecases import approvals, deliveries
from gateway.usecases.gateway import Gateway
from gateway.usecases.requests import ActionRequest, file_request
from tests.clock import SteppedDatabase
from tests.engine.workers import wait_until
from tests.factories import decide, load_deliveries, make_app, make_gateway, make_person
from tests.fakes import RecordingTool
from tests.notifications.receiver import Received, receiving
from tests.notifications.test_webhook import SECRET

LOOPBACK = read_allowed("127.0.0.0/8")
DETAILS = '{"amount":  249.00}'
ASKED = ActionRequest(
    origin="cheqpoint",
    action="refund",
    summary="Refund it",
    details=DETAILS,
    callback_url="https://app.example.com/hook",
)


@pytest.fixture
def gateway(database: Database) -> Gateway:
    tool = RecordingTool("look_up", approval="auto", risk="low")
    return make_gateway(database, tool, callback_allow=LOOPBACK, public_url="https://gate.example.com")


@contextmanager
def sending(gateway: Gateway) -> Iterator[None]:
    dispatcher = Dispatcher(gateway, Webhooks(LOOPBACK, {"cheqpoint": cheqpoint_headers([SECRET])}), None)
    dispatcher.start()
    try:
        yield
    finally:
        dispatcher.stop()


def of(gateway: Gateway, approval_id: str) -> list[Delivery]:
    return list(load_deliveries(gateway, approval_id=approval_id))


def told(gateway: Gateway, approval_id: str) -> dict[str, object]:
    [row] = of(gateway, approval_id)
    assert row.body is not None
    return dict(json.loads(row.body))


def test_decision_is_told_in_cheqpoints_words_and_signed_in_both_ways(gateway: Gateway) -> None:
    with receiving() as receiver, sending(gateway):
        row = file_request(gateway, make_app(), replace(ASKED, callback_url=receiver.url)).approval
        decide(gateway, make_person(gateway), row, Approve('{"amount": 199.50}'), note="Without shipping")
        wait_until(lambda: bool(receiver.received))

    got: Received = receiver.received[0]
    Webhook(SECRET).verify(got.body, got.headers)
    signature = hmac.new(SECRET.encode(), got.body.encode(), hashlib.sha256).hexdigest()
    assert got.headers["x-cheqpoint-signature"] == signature
    body = json.loads(got.body)
    assert (body["event"], body["status"], body["id"]) == ("approval.decided", "APPROVED", row.id)
    assert (body["decisionNote"], body["modifiedDetails"]) == ("Without shipping", {"amount": 199.5})
    assert '"details":{"amount":  249.00}' in got.body
    assert '"modifiedDetails":{"amount": 199.50}' in got.body
    assert body["reviewUrl"] == f"https://gate.example.com/approvals/{row.id}"


def test_sdk_that_asks_for_a_callback_gets_one(gateway, served, key, reviewer) -> None:
    client = CheqpointClient(api_key=key, base_url=served.url)
    with receiving() as receiver, sending(gateway):
        asked = {"action": "refund", "summary": "Refund it", "details": {"n": 1}}
        first = client.request_async(**asked, callback_url=receiver.url)["approvalId"]
        second = client.create_request(**asked, webhook_url=receiver.url)["id"]
        reviewer.soon(Reject(), note="No", after_s=0)
        wait_until(lambda: len(receiver.received) == 1)
        reviewer.soon(Reject(), note="No", after_s=0)
        wait_until(lambda: len(receiver.received) == 2)
    bodies = [json.loads(got.body) for got in receiver.received]
    assert {body["id"] for body in bodies} == {first, second}
    assert {(body["status"], body["responseNotes"]) for body in bodies} == {("REJECTED", "No")}


def test_what_is_held_is_told_at_its_release_and_what_is_undone_is_not(stepped_database: SteppedDatabase) -> None:
    gateway = make_gateway(stepped_database, undo_hold_s=30)
    person = make_person(gateway)
    kept, undone = (file_request(gateway, make_app(), ASKED).approval for _ in range(2))
    for row in (kept, undone):
        decide(gateway, person, row, Approve(), channel="page")
    assert deliveries.claim_due(gateway, 10) == []
    approvals.undo(gateway, person, undone.id, channel="page")
    stepped_database.pass_time(31)

    claimed = [json.loads(message.body)["id"] for message in deliveries.claim_due(gateway, 10)]

    assert claimed == [kept.id]
    assert [row.status for row in of(gateway, undone.id)] == ["dropped"]


def test_expiry_is_told_as_a_rejection_that_may_be_asked_again(stepped_database: SteppedDatabase) -> None:
    gateway = make_gateway(stepped_database, expires_after_s=60)
    row = file_request(gateway, make_app(), ASKED).approval
    stepped_database.pass_time(timedelta(minutes=2).total_seconds())
    approvals.expire_due(gateway)

    body = told(gateway, row.id)

    assert (body["event"], body["status"], body["retryable"]) == ("approval.expired", "REJECTED", True)
    assert "in time" in str(body["responseNotes"])


def test_decision_of_a_setting_is_told_too(gateway: Gateway) -> None:
    row = file_request(gateway, make_app(), replace(ASKED, action="look_up")).approval

    body = told(gateway, row.id)

    assert (body["status"], body["autoDecided"]) == ("APPROVED", True)
    assert body["autoDecisionRuleName"] == "look_up: approval = auto"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://app.example.com/", "https://169.254.169.254/", "nonsense", "ftp://x"]
)
def test_address_that_may_not_be_told_is_refused_and_nothing_is_filed(gateway, served, key, url) -> None:
    with pytest.raises(CallbackRefused):
        file_request(make_gateway(gateway.database), make_app(), replace(ASKED, callback_url=url))
    for name in ("webhookUrl", "callbackUrl"):
        body = {"action": "refund", "summary": "x", "details": {}, name: url}
        for path in ("/api/approvals/request", "/api/webhooks/inbound"):
            answer = httpx2.post(f"{served.url}{path}", json=body, headers={"x-api-key": key}, trust_env=False)
            assert (answer.status_code, list(answer.json())) == (422, ["error"])
    assert list(load_deliveries(gateway)) == []


def test_program_that_gave_no_address_is_told_nothing(gateway: Gateway) -> None:
    row = file_request(gateway, make_app(), replace(ASKED, callback_url=None)).approval
    decide(gateway, make_person(gateway), row)

    assert of(gateway, row.id) == []


def test_reviewers_are_told_of_a_request_that_waits(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool("look_up", approval="auto"), tells_reviewers=True)
    waiting = file_request(gateway, make_app(), replace(ASKED, callback_url=None)).approval
    decided = file_request(gateway, make_app(), replace(ASKED, action="look_up", callback_url=None)).approval

    assert [row.target for row in of(gateway, waiting.id)] == ["notify"]
    assert of(gateway, decided.id) == []
