"""The wire beyond what the SDK shows: exact bytes, what is never kept, retries, legacy fields, errors, holding."""

import json
import time
from typing import Any

import httpx2
import pytest

from gateway.domain.approval import Approve, Respond
from gateway.domain.permission import Scope
from gateway.errors import InvalidRequest
from gateway.store import approvals
from gateway.store.tables import Approval
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from tests.factories import ask, call, decide, load_approval, make_app, make_gateway, make_person

REQUEST, INBOUND = "/api/approvals/request", "/api/webhooks/inbound"
DETAILS = '{"amount":  249.00, "big": 12345678901234567890, "name": "\\u00e9"}'


def body(details: str = DETAILS, **more: Any) -> str:
    members = {"action": '"refund"', "summary": '"Refund it"', "details": details}
    members |= {name: json.dumps(value) for name, value in more.items()}
    return "{" + ", ".join(f'"{name}": {text}' for name, text in members.items()) + "}"


@pytest.fixture
def wire(served, key):
    headers = {"x-api-key": key, "Content-Type": "application/json"}
    with httpx2.Client(base_url=served.url, headers=headers, trust_env=False, timeout=20) as wire:
        yield wire


def everything(gateway: Gateway) -> list[Approval]:
    with gateway.database.read() as session:
        return list(approvals.page(session, limit=200).items)


def test_details_are_kept_and_told_character_for_character(wire, gateway, reviewer):
    made = wire.post(REQUEST, content=body())
    assert made.status_code == 201
    row = load_approval(gateway, made.json()["id"])
    assert row.details == DETAILS
    assert f'"details":{DETAILS}' in made.text

    edited = DETAILS.replace("249.00", "199.50")
    decide(gateway, reviewer.person, row, Approve(edited))
    assert f'"modifiedDetails":{edited}' in wire.get(f"/api/approvals/{row.id}").text


def test_key_of_a_body_counts_and_is_never_kept(served, gateway, key):
    with httpx2.Client(base_url=served.url, trust_env=False) as bare:
        made = bare.post(
            REQUEST, content=body(apiKey=key, agentName="Helper"), headers={"content-type": "application/json"}
        )
        wrong = bare.post(REQUEST, content=body(apiKey="cs_app_x_y"), headers={"content-type": "application/json"})
        none = bare.post(REQUEST, content=body(), headers={"content-type": "application/json"})

    assert made.status_code == 201, made.text
    assert (wrong.status_code, none.status_code) == (401, 401)
    [row] = everything(gateway)
    assert key not in json.dumps(row.model_dump(), default=str)
    assert json.loads(row.sent_along or "") == {"agentName": "Helper"}


def test_key_in_the_header_counts_before_that_of_the_body(wire):
    assert wire.post(REQUEST, content=body(apiKey="cs_app_x_y")).status_code == 201


def test_legacy_fields_are_taken_and_shown(wire, gateway):
    sent: dict[str, Any] = {"priority": "urgent", "agentName": "Helper", "metadata": {"n": 1.50}, "newer": [1]}
    for path in (REQUEST, INBOUND):
        answer = wire.post(path, content=body(riskLevel="low", **sent))
        row = load_approval(gateway, answer.json()["approvalId"])
        assert (row.risk, row.risk_score) == ("low", None)
        assert json.loads(row.sent_along or "") == sent


@pytest.mark.parametrize(
    ("score", "risk"), [(0, "low"), (0.24, "low"), (0.25, "medium"), (0.5, "high"), (0.8, "critical"), (1, "critical")]
)
def test_score_says_how_much_is_at_stake(wire, gateway, score, risk):
    row = load_approval(gateway, wire.post(REQUEST, content=body(riskScore=score)).json()["id"])

    assert (row.risk_score, row.risk) == (score, risk)


def test_without_a_score_it_is_taken_as_grave(wire, gateway):
    assert load_approval(gateway, wire.post(REQUEST, content=body(riskScore=None)).json()["id"]).risk == "high"


def test_retry_with_the_same_key_gets_the_first_request(wire, gateway):
    first = wire.post(REQUEST, content=body(), headers={"Idempotency-Key": "one"})
    again = wire.post(REQUEST, content=body(), headers={"Idempotency-Key": "one"})
    held = wire.post(INBOUND, content=body(maxWaitMs=100), headers={"Idempotency-Key": "one"})
    other = wire.post(REQUEST, content=body("{}"), headers={"Idempotency-Key": "one"})

    assert (first.status_code, again.status_code, held.status_code, other.status_code) == (201, 200, 200, 422)
    assert first.json()["id"] == again.json()["id"] == held.json()["approvalId"]
    assert "error" in other.json()
    assert len(everything(gateway)) == 1


def test_same_request_twice_is_two_unless_a_window_is_set(wire, gateway):
    assert wire.post(REQUEST, content=body()).json()["id"] != wire.post(REQUEST, content=body()).json()["id"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("", 422), ("{", 422), ("[]", 422), ('{"action": "a"}', 422), (body("[]"), 422), (body('"x"'), 422),
        (body("{}", action=""), 422), (body("{}", summary=5), 422), (body("{}", maxWaitMs=-1), 422),
        (body("{}", maxWaitMs="1"), 422),  (body("{}", riskScore="0.5"), 422), (body("{}", riskLevel="extreme"), 422),
        (body('{"a": 1, "a": 2}'), 422), (body('{"a": NaN}'), 422), (body('{"a": "\\u0000"}'), 422),
        (body(json.dumps({"a": "x" * 200_000})), 422), (body(json.dumps({"a": ["x" * 100_000] * 8})), 413),
        (body("{}", webhookUrl="https://a.example", callbackUrl="https://b.example"), 422),
        (body("{}", action="x" * 201), 422), (body("{}", webhookUrl="http://127.0.0.1/"), 422),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_sentence_and_leaves_nothing(wire, gateway, sent, status):
    for path in (REQUEST, INBOUND):
        answer = wire.post(path, content=sent)
        assert answer.status_code == status, answer.text
        assert list(answer.json()) == ["error"]
        assert isinstance(answer.json()["error"], str)
    assert everything(gateway) == []


@pytest.mark.parametrize(
    "path", [REQUEST + "/", INBOUND + "/", "/api/approvals", "/api/approvals/", "/api/approvals/x/"]
)
def test_nothing_is_redirected(wire, path):
    for method in ("GET", "POST"):
        answer = wire.request(method, path, content=body() if method == "POST" else None, follow_redirects=False)
        assert answer.status_code in {401, 404, 405}
        assert "location" not in answer.headers


def test_others_see_nothing_of_it(wire, served, gateway):
    approval_id = wire.post(REQUEST, content=body()).json()["id"]
    [of_job] = ask(gateway, call("look_up"), actor=make_app("shop"))
    other = accounts.create_key(gateway, app="other", scopes=tuple(Scope))
    # A reviewer too: secrets stand here as they are, and nobody's log would say who has seen them.
    person = accounts.create_token(gateway, email=make_person(gateway).email)

    for credential in (other, person):
        answer = httpx2.get(
            f"{served.url}/api/approvals/{approval_id}", headers={"x-api-key": credential}, trust_env=False
        )
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
    assert wire.get(f"/api/approvals/{of_job.id}").status_code == 404


@pytest.mark.parametrize("approval_id", ["%00", "x", "apr_" + "0" * 26, "%ff", "apr_%E2%80%AE"])
def test_what_is_no_request_of_ones_own_is_not_there(wire, approval_id):
    answer = wire.get(f"/api/approvals/{approval_id}")

    assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("wait_ms", [500, 500.0])
def test_held_answer_comes_within_its_time(wire, wait_ms):
    began_s = time.monotonic()
    answer = wire.post(INBOUND, content=body(maxWaitMs=wait_ms))

    assert answer.json()["status"] == "pending"
    assert 0.3 < time.monotonic() - began_s < 5


def test_poll_of_one_who_polls_again_and_again_is_woken_by_the_decision(wire, gateway, reviewer):
    approval_id = wire.post(REQUEST, content=body()).json()["id"]
    wire.get(f"/api/approvals/{approval_id}")
    time.sleep(2)
    reviewer.soon(after_s=0.3)

    answer = wire.get(f"/api/approvals/{approval_id}")

    assert answer.json()["status"] == "APPROVED"
    assert time.monotonic() - reviewer.decided_at_s[0] < 1


def test_until_its_release_an_approval_is_pending_and_can_be_undone(database, key, served, reviewer):
    held = make_gateway(database, undo_hold_s=1)
    with httpx2.Client(base_url=served.url, headers={"x-api-key": key}, trust_env=False) as wire:
        made = wire.post(REQUEST, content=body(), headers={"content-type": "application/json"}).json()
        began_s = time.monotonic()
        decide(held, reviewer.person, load_approval(held, made["id"]), Approve("{}"), channel="page")
        seen = wire.get(f"/api/approvals/{made['id']}").json()
        assert (seen["status"], seen["modifiedDetails"], seen["decidedAt"]) == ("PENDING", None, None)
        while wire.get(f"/api/approvals/{made['id']}").json()["status"] == "PENDING":
            assert time.monotonic() - began_s < 5
            time.sleep(0.05)

    assert time.monotonic() - began_s > 0.9


def test_nobody_answers_in_the_programs_place(wire, gateway, reviewer):
    row = load_approval(gateway, wire.post(REQUEST, content=body()).json()["id"])

    with pytest.raises(InvalidRequest, match="a yes or a no"):
        decide(gateway, reviewer.person, row, Respond("It is done"))
    assert load_approval(gateway, row.id).status == "pending"
