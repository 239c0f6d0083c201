"""Giving calls more time, and jobs a deadline, through the API."""

from datetime import timedelta

import pytest

from gateway.domain.permission import Role
from tests.api.problems import code_of
from tests.factories import ago, ask, call, change_approval, change_job, decide, load_approval, make_app, make_person

MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


@pytest.fixture
def approval(gateway):
    [row] = ask(gateway, call("refund", '{"order_id": "ord_1"}'), actor=make_app("shop"))
    return row


def extend(client, approval, expires_at):
    return client.post(f"/api/v1/approvals/{approval.id}/extend", json={"expires_at": expires_at})


def test_extended_approval_shows_its_new_time(reviewer, gateway, approval):
    until = ago(gateway, -7200).strftime(MOMENT)

    answer = extend(reviewer, approval, until)

    assert (answer.status_code, answer.json()["expires_at"], answer.json()["status"]) == (200, until, "pending")
    [row] = reviewer.get(f"/api/v1/decisions?approval_id={approval.id}").json()["items"]
    assert (row["verdict"], row["is_final"]) == ("extend", False)


def test_time_in_another_zone_is_the_same_time(reviewer, gateway, approval):
    until = ago(gateway, -7200).replace(microsecond=0)

    answer = extend(reviewer, approval, f"{until + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}+02:00")

    assert answer.json()["expires_at"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"expires_at": null}',
        '{"expires_at": 1795694400}',
        '{"expires_at": "tomorrow"}',
        '{"expires_at": "2026-11-30"}',
        '{"expires_at": "2126-11-30T12:00:00Z"}',
        '{"expires_at": "2020-11-30T12:00:00Z"}',
        '{"expires_at": "2126-11-30T12:00:00Z", "note": "x"}',
        '{"expires_at": "2126-11-30T12:00:00Z", "expires_at": "2126-11-30T12:00:00Z"}',
        "[]",
        "",
    ],
)
def test_body_that_is_no_such_time_is_refused(reviewer, gateway, approval, body):
    headers = {"Content-Type": "application/json"}

    answer = reviewer.post(f"/api/v1/approvals/{approval.id}/extend", content=body, headers=headers)

    assert code_of(answer) in {(422, "invalid_request"), (422, "invalid_json")}
    assert load_approval(gateway, approval.id).expires_at is None


def test_refusals_have_their_codes(clients, reviewer, shop, gateway, approval):
    until = ago(gateway, -7200).strftime(MOMENT)

    assert code_of(extend(shop, approval, until)) == (403, "not_allowed")
    assert code_of(extend(clients.with_token(Role.AUDITOR), approval, until)) == (403, "not_allowed")
    assert code_of(extend(clients.anonymous(), approval, until)) == (401, "unauthenticated")
    missing = reviewer.post("/api/v1/approvals/apr_" + "0" * 26 + "/extend", json={"expires_at": until})
    assert code_of(missing) == (404, "not_found")
    change_approval(gateway, approval.id, expires_at=ago(gateway, 1))
    assert code_of(extend(reviewer, approval, until)) == (410, "expired")


def test_decided_approval_is_refused_with_who_and_when(reviewer, gateway, approval):
    person = make_person(gateway)
    decide(gateway, person, approval)

    answer = extend(reviewer, approval, ago(gateway, -7200).strftime(MOMENT))

    assert code_of(answer) == (409, "already_decided")
    assert answer.json()["decided_by"] == person.name


def test_job_shows_its_deadline(shop, gateway):
    job = shop.post("/api/v1/jobs", json={"input": "Hi", "deadline_s": 3600}).json()

    assert job["deadline_at"] > job["created_at"]
    assert shop.get(f"/api/v1/jobs/{job['id']}").json()["deadline_at"] == job["deadline_at"]
    assert shop.post("/api/v1/jobs", json={"input": "Hi"}).json()["deadline_at"] is None


@pytest.mark.parametrize("deadline_s", [0, -1, 1.5, "60", True, 400 * 86400 + 1])
def test_deadline_that_cannot_be_is_refused(shop, deadline_s):
    answer = shop.post("/api/v1/jobs", json={"input": "Hi", "deadline_s": deadline_s})

    assert code_of(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "/deadline_s"


def test_decision_after_the_deadline_is_refused_and_the_job_has_failed(reviewer, shop, gateway, approval):
    change_job(gateway, approval.job_id, deadline_at=ago(gateway, 1))

    body = {"verdict": "approve", "details_sha256": approval.details_sha256}
    answer = reviewer.post(f"/api/v1/approvals/{approval.id}/decision", json=body)

    assert code_of(answer) == (409, "already_decided")
    assert shop.get(f"/api/v1/jobs/{approval.job_id}").json()["error"]["code"] == "deadline"
