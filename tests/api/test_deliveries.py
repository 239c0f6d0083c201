"""Deliveries over HTTP: the list, and sending once more."""

from typing import Any

import pytest

from gateway.domain.delivery import Outcome
from gateway.domain.permission import Role, Scope
from gateway.usecases import deliveries, jobs, notices
from gateway.usecases.gateway import Gateway
from tests.api.problems import code_of
from tests.factories import ask, call, load_deliveries, make_app, submit

PATH = "/api/v1/webhook-deliveries"
URL = "https://hooks.example.com/x"
TAKEN = Outcome(is_delivered=True, status=200)
GONE = Outcome(is_delivered=False, status=410, error="The receiver answered 410.", is_permanent=True)


def end_job(gateway: Gateway, app: str = "shop", outcome: Outcome | None = None) -> str:
    """A job with an address has ended, and the message about it was tried if there is an outcome; its id."""
    actor = make_app(app)
    job = submit(gateway, actor, callback_url=URL).job
    jobs.cancel(gateway, actor, job.id)
    if outcome is not None:
        [message] = deliveries.claim_due(gateway, 1)
        deliveries.record(gateway, message, outcome)
    return job.id


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["job_id"] for item in response.json()["items"]]


def test_delivery_shows_what_became_of_it(shop, gateway):
    job_id = end_job(gateway, outcome=GONE)
    [item] = shop.get(PATH).json()["items"]
    assert item["id"].startswith("dlv_")
    assert {name: item[name] for name in item if not name.endswith("_at") and name != "id"} == {
        "event": "job.cancelled", "status": "failed", "target": "callback", "form": "standard", "url": URL,
        "app": "shop", "job_id": job_id, "approval_id": None, "attempts": 1, "last_status": 410,
        "last_error": "The receiver answered 410.",
    }  # fmt: skip
    assert item["created_at"].endswith("Z")
    assert item["next_attempt_at"] is item["delivered_at"] is None


def test_pending_delivery_says_when_it_is_tried_next(shop, gateway):
    end_job(gateway)
    [item] = shop.get(PATH).json()["items"]
    assert (item["status"], item["attempts"], item["next_attempt_at"]) == ("pending", 0, item["created_at"])


def test_app_sees_its_own_and_people_see_all(clients, shop, reviewer, gateway):
    own, foreign = end_job(gateway), end_job(gateway, "other")
    assert ids(shop.get(PATH)) == [own]
    assert ids(clients.with_key("other").get(PATH)) == [foreign]
    for client in (reviewer, clients.with_token(Role.AUDITOR), clients.with_cookie(Role.ADMIN)):
        assert ids(client.get(PATH)) == [foreign, own]
    assert ids(shop.get(PATH, params={"job_id": foreign})) == []


def test_list_is_filtered_and_paged(shop, gateway):
    taken = [end_job(gateway, outcome=TAKEN) for _ in range(3)]
    gone, waiting = end_job(gateway, outcome=GONE), end_job(gateway)
    everything = [waiting, gone, *reversed(taken)]

    assert ids(shop.get(PATH)) == everything
    assert ids(shop.get(PATH, params={"status": "delivered"})) == list(reversed(taken))
    assert ids(shop.get(PATH, params={"status": "failed,pending"})) == [waiting, gone]
    assert ids(shop.get(PATH, params={"job_id": gone})) == [gone]
    assert ids(shop.get(PATH, params={"job_id": gone, "status": "delivered"})) == []
    found, cursor = [], None
    for _ in range(3):
        page = shop.get(PATH, params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        found += ids(page)
        cursor = page.json()["next_cursor"]
    assert (found, cursor) == (everything, None)


def test_messages_to_reviewers_are_for_people(shop, reviewer, gateway):
    [approval] = ask(gateway, call("refund", '{"order_id":"a"}'), actor=make_app("shop"))
    with gateway.database.write() as session:
        notices.queue(session, approval, gateway.database.now(session))
    assert shop.get(PATH, params={"approval_id": approval.id}).json()["items"] == []
    [item] = reviewer.get(PATH, params={"approval_id": approval.id}).json()["items"]
    assert (item["target"], item["event"], item["url"], item["app"]) == ("notify", "approval.requested", None, None)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"}, {"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"cursor": ""}, {"owner": "app:other"},
        {"job_id": ""}, {"job_id": "a\x00b"}, {"approval_id": "x" * 301}, {"target": "notify"},
    ],
)  # fmt: skip
def test_wrong_question_is_refused(shop, query):
    assert code_of(shop.get(PATH, params=query)) == (422, "invalid_request")


@pytest.mark.parametrize("outcome", [TAKEN, GONE])
def test_message_is_sent_once_more_under_its_id(shop, gateway, outcome):
    end_job(gateway, outcome=outcome)
    [item] = shop.get(PATH).json()["items"]
    response = shop.post(f"{PATH}/{item['id']}/redeliver")
    assert response.status_code == 200
    again = response.json()
    assert (again["id"], again["status"], again["attempts"], again["delivered_at"]) == (item["id"], "pending", 1, None)
    [message] = deliveries.claim_due(gateway, 10)
    assert (message.id, message.attempt) == (item["id"], 2)


def test_pending_message_is_refused_in_a_sentence(shop, gateway):
    end_job(gateway)
    [item] = shop.get(PATH).json()["items"]
    response = shop.post(f"{PATH}/{item['id']}/redeliver")
    assert code_of(response) == (409, "delivery_pending")
    assert response.json()["detail"] == "This message is not delivered yet and will be tried by itself."


def test_who_may_have_it_sent_again(clients, gateway):
    end_job(gateway, outcome=TAKEN)
    [row] = load_deliveries(gateway)
    path = f"{PATH}/{row.id}/redeliver"
    assert code_of(clients.anonymous().post(path)) == (401, "unauthenticated")
    for client in (
        clients.with_key("shop", Scope.READ),
        *(clients.with_token(role) for role in (Role.REVIEWER, Role.AUDITOR)),
    ):
        assert code_of(client.post(path)) == (403, "not_allowed")
    assert code_of(clients.with_key("other").post(path)) == (404, "not_found")
    assert clients.with_token(Role.ADMIN).post(path).status_code == 200


@pytest.mark.parametrize("delivery_id", ["dlv_" + "0" * 26, "job_" + "0" * 26, "x", "dlv_" + "0" * 25, "%00"])
def test_unknown_message_is_not_found(shop, delivery_id):
    assert code_of(shop.post(f"{PATH}/{delivery_id}/redeliver")) == (404, "not_found")


class TestAddresses:
    def test_address_is_kept_with_the_job_and_not_shown(self, shop, gateway):
        response = shop.post("/api/v1/jobs", json={"input": "x", "callback_url": URL})
        assert response.status_code == 202
        assert "callback_url" not in response.json()
        jobs.cancel(gateway, make_app("shop"), response.json()["id"])
        assert [row.url for row in load_deliveries(gateway)] == [URL]

    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.example.com/", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/",
            "https://localhost/", "https://hooks.internal/", "https://u:s3cret@hooks.example.com/",
            "ftp://hooks.example.com/", "hooks.example.com", "https://hooks.example.com:22/",
            "https://hooks.example.com/#x", "https://169.254.169.254/latest/meta-data/",
        ],
    )  # fmt: skip
    def test_address_that_may_not_be_sent_to_is_refused(self, shop, url):
        response = shop.post("/api/v1/jobs", json={"input": "x", "callback_url": url})
        assert code_of(response) == (422, "callback_refused")
        assert response.json()["field"] == "callback_url"
        assert response.json()["detail"].startswith("callback_url: ")
        assert "s3cret" not in response.text
        assert shop.get("/api/v1/jobs").json()["items"] == []

    @pytest.mark.parametrize(
        "url", ["", " ", 7, ["https://hooks.example.com/"], {}, "https://hooks.example.com/" + "x" * 2000]
    )
    def test_what_is_no_text_for_an_address_is_refused(self, shop, url):
        response = shop.post("/api/v1/jobs", json={"input": "x", "callback_url": url})
        assert code_of(response) == (422, "invalid_request")
        assert [place["pointer"] for place in response.json()["errors"]] == ["/callback_url"]

    def test_null_is_no_address(self, shop):
        assert shop.post("/api/v1/jobs", json={"input": "x", "callback_url": None}).status_code == 202

    def test_same_key_with_another_address_is_another_body(self, shop):
        headers = {"Idempotency-Key": "k"}
        body = {"input": "x", "callback_url": URL}
        first = shop.post("/api/v1/jobs", json=body, headers=headers)
        assert shop.post("/api/v1/jobs", json=body, headers=headers).json()["id"] == first.json()["id"]
        other = shop.post("/api/v1/jobs", json={**body, "callback_url": URL + "y"}, headers=headers)
        assert code_of(other) == (422, "idempotency_key_reused")
