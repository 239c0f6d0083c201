"""Who looks at a call, through the API."""

import pytest

from gateway.domain.permission import Role
from tests.api.problems import code_of
from tests.factories import ask, call, decide, make_app, make_person


@pytest.fixture
def approval(gateway):
    [row] = ask(gateway, call("refund", '{"order_id": "ord_1"}'), actor=make_app("shop"))
    return row


def assign(client, approval, assignee):
    return client.post(f"/api/v1/approvals/{approval.id}/assignment", json={"assignee": assignee})


def test_taken_call_names_who_has_it_and_since_when(clients, shop, approval):
    rita = clients.with_token(email="rita@example.com")

    answer = assign(rita, approval, "me")

    told = answer.json()["assignee"]
    assert answer.status_code == 200
    assert (told["name"], told["id"][:4], told.keys()) == ("rita", "per_", {"id", "name", "since"})
    assert shop.get(f"/api/v1/approvals/{approval.id}").json()["assignee"] == told
    assert assign(rita, approval, "me").json() == answer.json()
    assert assign(rita, approval, None).json()["assignee"] is None


def test_who_waits_for_another_version_is_told(in_background, clients, shop, approval):
    path = f"/api/v1/approvals/{approval.id}"
    seen = shop.get(path).headers["etag"]
    waiting = in_background(lambda: shop.get(f"{path}?wait=30", headers={"If-None-Match": seen}))

    assign(clients.with_token(email="rita@example.com"), approval, "me")

    assert waiting.result(10).json()["assignee"]["name"] == "rita"


def test_list_is_narrowed_to_mine_somebodys_or_nobodys(clients, gateway, shop, approval):
    rita, tom = clients.with_token(), make_person(gateway)
    other, third = (ask(gateway, call("refund"), actor=make_app("shop"))[0] for _ in range(2))
    assign(rita, approval, "me")
    assign(rita, other, tom.id)

    def listed(client, whose):
        return [one["id"] for one in client.get(f"/api/v1/approvals?status=pending&assignee={whose}").json()["items"]]

    assert listed(rita, "me") == [approval.id]
    assert listed(rita, tom.id) == listed(shop, tom.id) == [other.id]
    assert listed(shop, "none") == [third.id]
    assert code_of(shop.get("/api/v1/approvals?assignee=me")) == (422, "invalid_request")


@pytest.mark.parametrize("body", ["{}", "[]", "", '{"assignee": 1}', '{"assignee": ""}', '{"assignee": "\\u0000@x"}'])
def test_body_that_names_nobody_is_refused(reviewer, approval, body):
    headers = {"Content-Type": "application/json"}

    answer = reviewer.post(f"/api/v1/approvals/{approval.id}/assignment", content=body, headers=headers)

    assert code_of(answer) in {(422, "invalid_request"), (422, "invalid_json")}


def test_refusals_have_their_codes(clients, reviewer, shop, gateway, approval):
    assert code_of(assign(shop, approval, "me")) == (403, "not_allowed")
    assert code_of(assign(clients.with_token(Role.AUDITOR), approval, "me")) == (403, "not_allowed")
    assert code_of(assign(clients.anonymous(), approval, "me")) == (401, "unauthenticated")
    unknown = assign(reviewer, approval, "nobody@example.com")
    assert (code_of(unknown), unknown.json()["errors"][0]["pointer"]) == ((422, "invalid_request"), "/assignee")
    person = make_person(gateway)
    decide(gateway, person, approval)
    late = assign(reviewer, approval, "me")
    assert (code_of(late), late.json()["decided_by"]) == ((409, "already_decided"), person.name)
