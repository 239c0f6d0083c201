"""Calls asked for again, as the API shows them, and the limit that a job may have."""

import pytest

from gateway.domain.approval import Reject
from tests.api.problems import code_of
from tests.factories import answer_turn, call, decide, make_app, make_person, submit

ARGUMENTS = '{"order_id": "ord_1"}'


def test_repeat_names_the_rejection(shop, gateway):
    job = submit(gateway, make_app("shop")).job
    [first] = answer_turn(gateway, job.id, call("refund", ARGUMENTS))
    decide(gateway, make_person(gateway), first, Reject(), note="No receipt.")

    [again] = answer_turn(gateway, job.id, call("refund", ARGUMENTS))

    shown = shop.get(f"/api/v1/approvals/{again.id}").json()
    assert (shown["repeat_of"], shown["repeats"]) == (first.id, 1)
    assert [one["code"] for one in shown["warnings"]] == ["repeated_call"]
    assert "No receipt." in shown["warnings"][0]["message"]
    shown = shop.get(f"/api/v1/approvals/{first.id}").json()
    assert (shown["repeat_of"], shown["repeats"], shown["warnings"]) == (None, 0, [])


def test_limit_is_taken_from_the_body(shop, gateway):
    job = shop.post("/api/v1/jobs", json={"input": "Hi", "max_repeats": 0}).json()
    [first] = answer_turn(gateway, job["id"], call("refund", ARGUMENTS))
    decide(gateway, make_person(gateway), first, Reject())

    answer_turn(gateway, job["id"], call("refund", ARGUMENTS))

    assert shop.get(f"/api/v1/jobs/{job['id']}").json()["error"]["code"] == "max_repeats"


@pytest.mark.parametrize("max_repeats", [-1, 1.5, "1", True, 257])
def test_limit_that_cannot_be_is_refused(shop, max_repeats):
    answer = shop.post("/api/v1/jobs", json={"input": "Hi", "max_repeats": max_repeats})

    assert code_of(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "/max_repeats"
