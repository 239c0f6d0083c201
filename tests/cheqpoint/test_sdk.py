"""The unmodified ``cheqpoint`` SDK: every method, with every outcome."""

import time
from datetime import timedelta
from typing import Any

import pytest
from cheqpoint import CheqpointClient, CheqpointError, RejectedError
from cheqpoint import TimeoutError as NoDecision

from gateway.domain.approval import Approve, Reject
from gateway.usecases import approvals
from tests.cheqpoint.conftest import Reviewer
from tests.factories import load_approval

DETAILS = {"order_id": "W5744371", "amount": 249.00, "lines": [{"sku": "A", "quantity": 2}]}
EDITED = '{"order_id": "W5744371", "amount": 199.50}'
ASKED: dict[str, Any] = {
    "action": "process_refund",
    "summary": "Refund an order that never arrived",
    "details": DETAILS,
}
FAST = {"poll_interval": 0.1}


def expire(gateway, waiting):
    """The request's time is over and nobody has decided."""
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        row = session.get(type(waiting), waiting.id)
        row.expires_at = now - timedelta(seconds=1)
    assert approvals.expire_due(gateway) == 1


def test_checkpoint_that_is_approved(client, reviewer):
    reviewer.soon(note="Shipping stays")

    result = client.checkpoint(**ASKED, risk_score=0.9, justification="The parcel is lost", **FAST)

    assert (result.status, result.details, result.modified_details) == ("APPROVED", DETAILS, None)
    assert result.response_notes == "Shipping stays"
    assert result.effective_details == DETAILS


def test_checkpoint_that_is_approved_with_an_edit_says_so_in_words_too(client, reviewer):
    reviewer.soon(Approve(EDITED), note="Without shipping")

    result = client.checkpoint(**ASKED, **FAST)

    assert result.modified_details == {"order_id": "W5744371", "amount": 199.5}
    assert result.effective_details == result.modified_details
    assert result.response_notes.startswith("Without shipping\n\n")
    # What the framework tools hand on is nothing but these words.
    assert '{"order_id":"W5744371","amount":199.50}' in result.response_notes


def test_an_edit_to_nothing_is_an_edit(client, reviewer):
    reviewer.soon(Approve("{}"))

    assert client.guard("process_refund", DETAILS, lambda ctx: ctx.details, **FAST) == {}


def test_checkpoint_that_is_rejected(client, reviewer):
    reviewer.soon(Reject(), note="Wrong order")

    with pytest.raises(RejectedError, match="was rejected: Wrong order"):
        client.checkpoint(**ASKED, **FAST)


def test_checkpoint_that_is_rejected_without_a_note(client, reviewer):
    reviewer.soon(Reject())

    with pytest.raises(RejectedError) as refused:
        client.checkpoint(**ASKED, **FAST)
    assert refused.value.response_notes is None


def test_checkpoint_that_expires_is_rejected_and_may_be_asked_again(client, gateway, reviewer):
    reviewer.do_soon(lambda waiting: expire(gateway, waiting))

    with pytest.raises(RejectedError, match="No decision was made in time") as refused:
        client.checkpoint(**ASKED, **FAST)

    status = client.get_request(refused.value.request_id)
    assert (status.status, status.retryable, status.auto_decided) == ("REJECTED", True, False)
    assert status.decided_at is not None


def test_checkpoint_that_nobody_decides_ends_at_its_own_time(client):
    began_s = time.monotonic()
    with pytest.raises(NoDecision, match=r"timed out after 1s"):
        client.checkpoint(**ASKED, timeout=1, **FAST)

    assert time.monotonic() - began_s < 3


def test_guard_runs_with_what_was_approved_and_only_then(client, reviewer):
    ran = []
    reviewer.soon(Approve(EDITED))
    client.guard("process_refund", DETAILS, lambda ctx: ran.append(ctx.details), **FAST)
    reviewer.soon(Reject())
    with pytest.raises(RejectedError):
        client.guard("process_refund", DETAILS, lambda ctx: ran.append(ctx.details), **FAST)

    assert ran == [{"order_id": "W5744371", "amount": 199.5}]


def test_action_that_a_tools_setting_approves_was_decided_by_its_name(client, gateway):
    result = client.checkpoint(action="look_up", summary="Look it up", details={"id": 1}, **FAST)

    status = client.get_request(result.id)
    assert (status.status, status.auto_decided) == ("APPROVED", True)
    assert status.auto_decision_rule_name == "look_up: approval = auto"


def test_request_and_its_state(client, reviewer):
    made = client.create_request(**ASKED, trace={"steps": [{"type": "thought", "content": "It is lost"}]})
    pending = client.get_request(made["id"])
    assert (pending.status, pending.details, pending.decided_at) == ("PENDING", DETAILS, None)

    reviewer.soon(Reject(), note="No", reason_code="wrong_value", after_s=0)
    reviewer.close()
    status = client.get_request(made["id"])

    assert (status.status, status.response_notes, status.decision_note) == ("REJECTED", "No", "No")
    assert (status.decision_reason_code, status.retryable) == ("wrong_value", False)


def test_sync_request_is_answered_as_soon_as_somebody_decides(client, reviewer):
    reviewer.soon(Approve(EDITED), note="Fine")

    answer = client.request_sync(**ASKED, timeout_ms=10_000)

    assert time.monotonic() - reviewer.decided_at_s[0] < 1
    assert (answer["status"], answer["decisionNote"]) == ("approved", "Fine")
    assert answer["modifiedDetails"] == {"order_id": "W5744371", "amount": 199.5}
    assert answer["details"] == DETAILS
    assert answer["reviewUrl"].endswith(f"/approvals/{answer['approvalId']}")


def test_sync_request_that_is_rejected(client, reviewer):
    reviewer.soon(Reject(), note="No")

    answer = client.request_sync(**ASKED)

    assert (answer["status"], answer["decisionNote"], answer["modifiedDetails"]) == ("rejected", "No", None)


def test_sync_request_that_expires(client, gateway, reviewer):
    reviewer.do_soon(lambda waiting: expire(gateway, waiting))

    answer = client.request_sync(**ASKED)

    assert (answer["status"], answer["retryable"]) == ("rejected", True)
    assert "in time" in answer["decisionNote"]


def test_sync_request_that_nobody_decides_is_pending_when_its_time_is_over(client):
    began_s = time.monotonic()

    answer = client.request_sync(**ASKED, timeout_ms=700)

    assert answer["status"] == "pending"
    assert time.monotonic() - began_s < 3


def test_sync_request_that_is_decided_after_the_servers_part_of_the_wait(client, gateway, reviewer):
    """The SDK then polls: here the server's part is over at once."""
    answer = client._post("/api/webhooks/inbound", {**ASKED, "maxWaitMs": 0})
    assert answer["status"] == "pending"
    reviewer.soon(Approve(EDITED), after_s=0)
    reviewer.close()

    status = client.get_request(answer["approvalId"])

    assert (status.status, status.modified_details) == ("APPROVED", {"order_id": "W5744371", "amount": 199.5})


def test_async_request_is_answered_at_once(client, reviewer):
    answer = client.request_async(**ASKED, justification="The parcel is lost")

    assert (answer["status"], answer["modifiedDetails"], answer["decisionNote"]) == ("pending", None, None)
    assert client.get_request(answer["approvalId"]).status == "PENDING"


def test_wrong_key_is_an_error_in_words(served):
    client = CheqpointClient(api_key="cs_app_wrong", base_url=served.url)
    for act in (
        lambda: client.create_request(**ASKED),
        lambda: client.get_request("x"),
        lambda: client.request_sync(**ASKED),
    ):
        with pytest.raises(CheqpointError) as refused:
            act()
        assert refused.value.status_code == 401
        assert isinstance(refused.value.args[0], str)


def test_what_cannot_be_asked_is_an_error_that_names_the_place(client):
    with pytest.raises(CheqpointError, match="riskScore") as refused:
        client.create_request(**ASKED, risk_score=1.5)
    assert refused.value.status_code == 422
    with pytest.raises(CheqpointError, match="summary"):
        client.create_request(**{**ASKED, "summary": " "})
    with pytest.raises(CheqpointError) as refused:
        client.get_request("apr_nothing")
    assert refused.value.status_code == 404


def test_nothing_of_it_runs_here(client, gateway, reviewer: Reviewer):
    reviewer.soon(after_s=0)
    result = client.checkpoint(**ASKED, **FAST)

    row = load_approval(gateway, result.id)
    assert (row.origin, row.job_id, row.status, row.app) == ("cheqpoint", None, "approved", "shop")
