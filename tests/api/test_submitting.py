"""``POST /api/v1/jobs``."""

import json

import pytest

from gateway.domain.permission import Scope
from tests.api.problems import code_of
from tests.factories import answer_turn, call, load_job, transcript
from tests.fakes import RecordingTool

JSON = {"Content-Type": "application/json"}


def test_job_is_queued_and_found_under_its_location(shop):
    response = shop.post("/api/v1/jobs", json={"input": "Refund ord_1"})
    assert response.status_code == 202
    job = response.json()
    assert job["status"] == "queued"
    assert shop.get(response.headers["location"]).json() == job


def test_job_has_exactly_the_fields_of_the_contract(shop):
    assert list(shop.post("/api/v1/jobs", json={"input": "x"}).json()) == [
        "id", "status", "model", "session_id", "output", "error", "rounds", "usage", "tool_calls",
        "pending_approvals", "created_at", "updated_at", "deadline_at", "metadata",
    ]  # fmt: skip


def test_messages_and_metadata_keep_every_character(shop, gateway):
    message = '{ "role":"user",  "content":[{"type":"text","text":"caf\\u00e9"}]   }'
    metadata = '{"big": 12345678901234567890,  "money":249.00}'
    body = f'{{"messages": [{message}], "metadata": {metadata}, "instructions": "Be brief."}}'
    response = shop.post("/api/v1/jobs", content=body, headers=JSON)
    assert f'"metadata":{metadata}' in response.text
    told = shop.get(response.headers["location"] + "/transcript").text
    assert message in told
    assert transcript(gateway, response.json()["id"])[0] == {"role": "system", "content": "Be brief."}


def test_options_go_to_the_model_as_they_were_sent(shop, gateway):
    choice = {"type": "function", "function": {"name": "refund"}}
    options = {"tool_choice": choice, "parallel_tool_calls": False, "temperature": 0, "max_tokens": 5}
    sent = {"input": "x", "tools": ["refund"], "max_rounds": 3, "model": "mistral-large-latest", **options}
    job = load_job(gateway, shop.post("/api/v1/jobs", json=sent).json()["id"])
    assert json.loads(job.request) == {"tools": ["refund"], "options": options}
    assert (job.max_rounds, job.model, job.permission) == (3, "mistral-large-latest", "auto")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"input": "x", "inptu": 1}, "/inptu"),
        ({"input": 5}, "/input"),
        ({"messages": [{"role": "user", "content": "x", "a/b": 1}]}, "/messages/0/a~1b"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "/messages/0/name"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "/messages/0/role"),
        ({"input": "  "}, "/input"),
        ({"input": "x", "max_rounds": 257}, "/max_rounds"),
        ({"input": "x", "max_rounds": "3"}, "/max_rounds"),
        ({"input": "x", "permission": "yes"}, "/permission"),
        ({"input": "x", "tool_choice": "maybe"}, "/tool_choice"),
        ({"input": "x", "tool_choice": {"type": "function", "function": {"name": "a", "b": 1}}}, "/tool_choice"),
        ({"input": "x", "tools": ["refund"], "tool_choice": {"type": "function", "function": {"name": "y"}}},
         "/tool_choice"),
        ({"input": "x", "tools": ["refund", "refund"]}, "/tools"),
        ({"input": "x", "on_behalf_of": "nobody"}, "/on_behalf_of"),
        ({"input": "x", "metadata": [1]}, "/metadata"),
        ({"input": "x", "agent_id": "ag", "temperature": 1}, "/temperature"),
        ({"messages": []}, "/messages"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "robot", "content": "x"}]}, "/messages/1/role"),
        ({"messages": [{"role": "user"}]}, "/messages/0/content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "/messages/0/tool_call_id"),
        ({"messages": [{"role": "assistant"}]}, "/messages/0"),
    ],
)  # fmt: skip
def test_bad_field_is_named(shop, body, pointer):
    response = shop.post("/api/v1/jobs", json=body)
    assert code_of(response) == (422, "invalid_request")
    assert pointer in [place["pointer"] for place in response.json()["errors"]]


@pytest.mark.parametrize(
    "body",
    [{}, {"input": "x", "messages": [{"role": "user", "content": "x"}]}, {"input": "x", "model": "m", "agent_id": "a"}],
)
def test_what_does_not_go_together_is_refused(shop, body):
    assert code_of(shop.post("/api/v1/jobs", json=body)) == (422, "invalid_request")


@pytest.mark.parametrize("field", ["session_id", "files"])
def test_fields_to_come_are_refused_by_name(shop, field):
    response = shop.post("/api/v1/jobs", json={"input": "x", field: None})
    assert code_of(response) == (422, "not_available")
    assert response.json()["field"] == field


@pytest.mark.parametrize(
    "body", ['{"input":"a","input":"b"}', '{"input":NaN}', '{"input":"\\u0000"}', '{"input":"\\ud800"}', "[", "[]", ""]
)
def test_lax_json_is_refused(shop, body):
    assert code_of(shop.post("/api/v1/jobs", content=body, headers=JSON)) == (422, "invalid_json")


def test_deep_json_is_refused_before_it_is_read(shop):
    assert code_of(shop.post("/api/v1/jobs", content="[" * 15_000, headers=JSON)) == (422, "invalid_json")


def test_unknown_tool_is_refused(shop):
    response = shop.post("/api/v1/jobs", json={"input": "x", "tools": ["nuke"]})
    assert code_of(response) == (422, "unknown_tool")


def test_body_that_is_not_said_to_be_json_is_refused(shop):
    response = shop.post("/api/v1/jobs", content='{"input":"x"}', headers={"Content-Type": "text/plain"})
    assert code_of(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_over_the_limit_is_refused(shop, is_chunked):
    body = json.dumps({"input": "x" * 20_000}).encode()
    content = iter([body[:10_000], body[10_000:]]) if is_chunked else body
    assert code_of(shop.post("/api/v1/jobs", content=content, headers=JSON)) == (413, "too_large")


def test_body_at_the_limit_is_taken(shop):
    shell = len(json.dumps({"input": ""}))
    body = json.dumps({"input": "x" * (20_000 - shell)})
    assert shop.post("/api/v1/jobs", content=body, headers=JSON).status_code == 202


class TestIdempotency:
    def test_same_key_and_body_give_the_same_job(self, shop):
        headers = {**JSON, "Idempotency-Key": "k1"}
        first = shop.post("/api/v1/jobs", content='{"input":"x"}', headers=headers)
        second = shop.post("/api/v1/jobs", content='{"input":"x"}', headers=headers)
        assert "idempotent-replayed" not in first.headers
        assert second.headers["idempotent-replayed"] == "true"
        assert (first.json(), first.headers["location"]) == (second.json(), second.headers["location"])

    def test_replay_shows_the_job_as_it_is_now(self, shop, gateway):
        headers = {**JSON, "Idempotency-Key": "k1"}
        job = shop.post("/api/v1/jobs", content='{"input":"x"}', headers=headers).json()
        answer_turn(gateway, job["id"], text="Done.")
        again = shop.post("/api/v1/jobs", content='{"input":"x"}', headers=headers)
        assert (again.status_code, again.json()["status"]) == (200, "succeeded")

    def test_other_body_is_refused(self, shop):
        headers = {**JSON, "Idempotency-Key": "k1"}
        shop.post("/api/v1/jobs", content='{"input":"x"}', headers=headers)
        response = shop.post("/api/v1/jobs", content='{"input": "x"}', headers=headers)
        assert code_of(response) == (422, "idempotency_key_reused")

    def test_key_belongs_to_its_app(self, clients):
        headers = {"Idempotency-Key": "k1"}
        ids = {
            clients.with_key(app).post("/api/v1/jobs", json={"input": app}, headers=headers).json()["id"]
            for app in ("shop", "other")
        }
        assert len(ids) == 2

    def test_long_key_is_refused(self, shop):
        headers = {"Idempotency-Key": "k" * 256}
        assert code_of(shop.post("/api/v1/jobs", json={"input": "x"}, headers=headers)) == (422, "invalid_request")


class TestWaiting:
    def test_job_that_ends_in_time_answers_200(self, shop, gateway, in_background):
        waiting = in_background(lambda: shop.post("/api/v1/jobs", json={"input": "x"}, headers={"Prefer": "wait=20"}))
        [job] = shop.get("/api/v1/jobs").json()["items"]
        answer_turn(gateway, job["id"], text="Done.")
        response = waiting.result(timeout=10)
        assert response.status_code == 200
        assert response.headers["preference-applied"] == "wait=20"
        assert response.json()["output"] == {"role": "assistant", "content": "Done.", "finish_reason": "stop"}

    def test_job_that_does_not_end_answers_202(self, shop):
        response = shop.post("/api/v1/jobs", json={"input": "x"}, headers={"Prefer": "respond-async, wait=1"})
        assert (response.status_code, response.headers["preference-applied"]) == (202, "wait=1")

    def test_long_waits_are_shortened_to_a_minute(self, shop, app):
        app.state.closing.begin()
        response = shop.post("/api/v1/jobs", json={"input": "x"}, headers={"Prefer": "wait=900"})
        assert response.headers["preference-applied"] == "wait=60"


def test_reviewer_submits_in_their_own_name(reviewer, gateway):
    job = load_job(gateway, reviewer.post("/api/v1/jobs", json={"input": "x"}).json()["id"])
    assert job.owner.startswith("person:")
    assert job.submitted_by is not None
    assert job.submitted_by.startswith("reviewer-")


def test_key_without_read_sees_the_job_it_submits_and_no_more(clients):
    client = clients.with_key("shop", Scope.SUBMIT)
    response = client.post("/api/v1/jobs", json={"input": "x"})
    assert response.status_code == 202
    assert code_of(client.get(response.headers["location"])) == (403, "not_allowed")


def test_answers_splice_arguments_in(shop, gateway, refund: RecordingTool):
    job_id = shop.post("/api/v1/jobs", json={"input": "x"}).json()["id"]
    text = '{"order_id" : "ord_1",\n "amount": 249.00, "n": 12345678901234567890}'
    answer_turn(gateway, job_id, call("refund", text), call("refund", "not json"), text="Two refunds.")
    answer = shop.get(f"/api/v1/jobs/{job_id}")
    assert f'"arguments":{text},' in answer.text
    first, second = answer.json()["tool_calls"]
    assert list(first) == ["id", "name", "round", "arguments", "approval_id", "status", "result", "error"]
    assert (first["status"], second["status"], second["arguments"]) == ("pending", "rejected", "not json")
    assert answer.json()["pending_approvals"] == [first["approval_id"]]
