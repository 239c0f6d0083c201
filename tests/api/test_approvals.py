"""Reading approvals, and deciding them through the API."""

import json
from datetime import timedelta

import pytest

from gateway.api.approval_view import ApprovalView
from gateway.domain.approval import Approve
from gateway.domain.arguments import sha256_hex
from gateway.domain.permission import Role
from gateway.tools.base import InDoubt
from tests.api.problems import code_of
from tests.factories import (
    ago,
    ask,
    call,
    change_approval,
    decide,
    load_approval,
    load_decisions,
    load_execution,
    make_app,
    make_person,
    run,
    tool_results,
)
from tests.fakes import RecordingTool

JSON = {"Content-Type": "application/json"}
ARGUMENTS = '{"order_id" : "ord_1",\n  "amount": 249.00, "n": 12345678901234567890}'
UNKNOWN = "apr_" + "0" * 26


@pytest.fixture
def approval(gateway):
    """A refund for an order that waits; asked by the app "shop"."""
    [row] = ask(gateway, call("refund", ARGUMENTS), actor=make_app("shop"))
    return row


def post_decision(client, approval, verdict="approve", **body):
    content = {"verdict": verdict, "details_sha256": approval.details_sha256, **body}
    return client.post(f"/api/v1/approvals/{approval.id}/decision", json=content)


def post_text(client, approval, modified_details, verdict="approve"):
    head = f'{{"verdict":"{verdict}","details_sha256":"{approval.details_sha256}"'
    content = f'{head}, "modified_details" : {modified_details} }}'
    return client.post(f"/api/v1/approvals/{approval.id}/decision", content=content, headers=JSON)


class TestReading:
    def test_approval_has_exactly_the_fields_of_the_contract(self, shop, approval):
        answer = shop.get(f"/api/v1/approvals/{approval.id}").json()
        assert list(answer) == [field.alias or name for name, field in ApprovalView.model_fields.items()]
        assert set(answer) == {
            "id", "status", "origin", "job_id", "tool_call_id", "action", "title", "summary", "justification",
            "risk_score", "risk", "details", "details_sha256", "modified_details", "effective_details", "schema",
            "warnings", "rule", "required_approvals", "approvals_so_far", "assignee", "group", "created_at",
            "expires_at", "release_at", "decided_at", "auto_decided", "retryable", "repeat_of", "repeats",
            "decision", "execution", "review_url", "secrets",
        }  # fmt: skip

    def test_details_are_spliced_in_and_match_their_hash(self, shop, approval):
        answer = shop.get(f"/api/v1/approvals/{approval.id}")
        assert f'"details":{ARGUMENTS},' in answer.text
        assert answer.json()["details_sha256"] == sha256_hex(ARGUMENTS)
        assert answer.json()["title"] == "Refund ord_1"
        assert answer.json()["review_url"] == f"http://testserver/approvals/{approval.id}"

    def test_arguments_that_are_no_object_are_a_string(self, shop, gateway):
        [broken] = ask(gateway, call("refund", '{"order_id": '), actor=make_app("shop"))
        answer = shop.get(f"/api/v1/approvals/{broken.id}").json()
        assert (answer["status"], answer["details"]) == ("rejected", '{"order_id": ')
        assert answer["decision"]["actor_kind"] == "system"

    def test_list_is_oldest_first_in_pages(self, shop, gateway):
        ids = [ask(gateway, call("refund", ARGUMENTS), actor=make_app("shop"))[0].id for _ in range(3)]
        first = shop.get("/api/v1/approvals?limit=2").json()
        second = shop.get("/api/v1/approvals", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert [item["id"] for item in first["items"] + second["items"]] == ids
        assert second["next_cursor"] is None

    @pytest.mark.parametrize(
        ("query", "is_found"),
        [
            ("status=pending", True), ("status=approved,rejected", False), ("action=refund", True),
            ("action=look_up", False), ("risk=high&risk=low", True), ("risk=low", False), ("execution=unknown", False),
            ("job_id={job_id}", True), ("job_id=job_x", False), ("status=pending&risk=low", False),
        ],
    )  # fmt: skip
    def test_list_is_narrowed(self, shop, approval, query, is_found):
        found = shop.get("/api/v1/approvals?" + query.format(job_id=approval.job_id)).json()["items"]
        assert [item["id"] for item in found] == ([approval.id] if is_found else [])

    def test_list_is_narrowed_to_calls_in_doubt(self, reviewer, gateway, refund: RecordingTool, approval):
        refund.outcome = InDoubt("Lost.")
        decide(gateway, make_person(gateway), approval)
        run(gateway, approval)
        [item] = reviewer.get("/api/v1/approvals?execution=unknown").json()["items"]
        assert item["execution"]["status"] == "unknown"

    @pytest.mark.parametrize(
        "query",
        ["status=late", "risk=huge", "execution=lost", "limit=x", "x=1", "action=%00", "cursor=W10", "assignee=x"],
    )
    def test_bad_parameter_is_refused(self, shop, query):
        assert code_of(shop.get(f"/api/v1/approvals?{query}")) == (422, "invalid_request")

    def test_foreign_and_unknown_approvals_look_the_same(self, clients, approval):
        other = clients.with_key("other")
        foreign = other.get(f"/api/v1/approvals/{approval.id}")
        assert code_of(foreign) == (404, "not_found")
        for unknown in (UNKNOWN, "apr_x", "%00"):
            assert other.get(f"/api/v1/approvals/{unknown}").content == foreign.content
        assert other.get("/api/v1/approvals").json()["items"] == []

    def test_known_version_is_not_sent_again(self, shop, reviewer, approval):
        etag = shop.get(f"/api/v1/approvals/{approval.id}").headers["etag"]
        path, headers = f"/api/v1/approvals/{approval.id}", {"If-None-Match": etag}
        assert shop.get(path, headers=headers).status_code == 304
        post_decision(reviewer, approval)
        assert shop.get(path, headers=headers).status_code == 200

    def test_wait_ends_with_the_decision(self, shop, reviewer, approval, in_background):
        waiting = in_background(lambda: shop.get(f"/api/v1/approvals/{approval.id}?wait=20"))
        assert not waiting.done()
        post_decision(reviewer, approval, "reject", note="No.")
        assert waiting.result(timeout=10).json()["status"] == "rejected"


class TestHeldApprovals:
    """Approved on the pages: until the release every answer says pending."""

    @pytest.fixture
    def held(self, gateway, approval):
        decide(gateway, make_person(gateway), approval, Approve('{"order_id":"other"}'), channel="page")
        return load_approval(gateway, approval.id)

    def test_nothing_of_the_decision_shows(self, shop, held):
        answer = shop.get(f"/api/v1/approvals/{held.id}").json()
        assert answer["status"] == "pending"
        hidden = ("modified_details", "effective_details", "decided_at", "decision", "execution")
        assert [answer[name] for name in hidden] == [None] * 5
        assert (answer["approvals_so_far"], answer["release_at"] is None) == (0, False)
        job = shop.get(f"/api/v1/jobs/{held.job_id}").json()
        assert job["pending_approvals"] == [held.id]
        assert (job["tool_calls"][0]["status"], job["tool_calls"][0]["arguments"]["order_id"]) == ("pending", "ord_1")

    def test_lists_count_it_as_pending(self, shop, held):
        assert [item["id"] for item in shop.get("/api/v1/approvals?status=pending").json()["items"]] == [held.id]
        assert shop.get("/api/v1/approvals?status=approved").json()["items"] == []

    def test_wait_ends_at_the_release_without_any_signal(self, shop, gateway, held, in_background):
        change_approval(gateway, held.id, release_at=ago(gateway, -1.0))
        response = shop.get(f"/api/v1/approvals/{held.id}?wait=20")
        assert response.elapsed < timedelta(seconds=5)
        assert (response.json()["status"], response.json()["effective_details"]) == ("approved", {"order_id": "other"})

    def test_it_can_be_undone(self, reviewer, held):
        answer = reviewer.post(f"/api/v1/approvals/{held.id}/undo").json()
        assert (answer["status"], answer["release_at"]) == ("pending", None)

    def test_after_the_release_it_cannot(self, reviewer, gateway, held):
        change_approval(gateway, held.id, release_at=ago(gateway, 1.0))
        assert code_of(reviewer.post(f"/api/v1/approvals/{held.id}/undo")) == (409, "not_undoable")


class TestDeciding:
    def test_approved_call_is_released_at_once(self, reviewer, gateway, refund: RecordingTool, approval):
        answer = post_decision(reviewer, approval, note="Seen.", reason_code="ok").json()
        assert (answer["status"], answer["approvals_so_far"]) == ("approved", 1)
        assert answer["effective_details"] == json.loads(ARGUMENTS)
        decision = answer["decision"]
        assert (decision["verdict"], decision["note"], decision["channel"]) == ("approve", "Seen.", "api")
        run(gateway, approval)
        assert refund.received == [ARGUMENTS]
        execution = reviewer.get(f"/api/v1/approvals/{approval.id}").json()["execution"]
        assert list(execution) == ["status", "attempt", "result", "error", "started_at", "finished_at"]
        assert (execution["status"], execution["result"]) == ("succeeded", "sent")

    def test_edit_runs_as_the_exact_characters_that_were_sent(self, reviewer, gateway, refund, approval):
        edited = '{\t"order_id":"caf\\u00e9" ,\n "amount":  1.50e2, "n":98765432109876543210 }'
        answer = post_text(reviewer, approval, edited)
        assert answer.status_code == 200, answer.text
        assert f'"modified_details":{edited}' in answer.text
        assert f'"effective_details":{edited}' in answer.text
        assert answer.json()["decision"]["effective_sha256"] == sha256_hex(edited)
        run(gateway, approval)
        assert refund.received == [edited]

    def test_rejection_is_told_with_its_note(self, reviewer, gateway, approval):
        assert post_decision(reviewer, approval, "reject", note="Too much.").json()["status"] == "rejected"
        assert tool_results(gateway, approval.job_id) == ["Action rejected: Too much."]

    def test_response_stands_in_the_tools_place(self, reviewer, gateway, shop, approval):
        answer = post_decision(reviewer, approval, "respond", response="It was refunded before.").json()
        assert answer["status"] == "answered"
        assert tool_results(gateway, approval.job_id) == ["It was refunded before."]
        [told] = shop.get(f"/api/v1/jobs/{approval.job_id}").json()["tool_calls"]
        assert (told["status"], told["result"]) == ("answered", "It was refunded before.")

    def test_same_decision_again_changes_nothing(self, reviewer, gateway, approval):
        first, second = (post_decision(reviewer, approval) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json()["decision"] == second.json()["decision"]
        assert len(load_decisions(gateway, approval.id)) == 1

    def test_other_decision_is_refused_and_says_whose_stands(self, clients, approval):
        post_decision(clients.with_token(email="first@example.com"), approval)
        response = post_decision(clients.with_token(), approval, "reject")
        assert code_of(response) == (409, "already_decided")
        problem = response.json()
        assert (problem["decided_by"], problem["verdict"], problem["approval_status"]) == (
            "first", "approve", "approved",
        )  # fmt: skip

    def test_other_arguments_than_shown_are_refused(self, reviewer, gateway, approval):
        response = post_decision(reviewer, approval, details_sha256="0" * 64)
        assert code_of(response) == (409, "stale_details")
        assert load_approval(gateway, approval.id).status == "pending"

    def test_changed_tool_is_refused_once_with_the_difference(self, reviewer, refund: RecordingTool, approval):
        refund.define(name="refund", schema={"type": "object", "properties": {"x": {"maximum": 10**30}}})
        response = post_decision(reviewer, approval)
        assert code_of(response) == (409, "tool_changed")
        assert response.json()["before"]["schema"] != response.json()["after"]["schema"]
        assert post_decision(reviewer, approval).status_code == 200

    def test_expired_approval_is_gone(self, reviewer, gateway, approval):
        change_approval(gateway, approval.id, expires_at=ago(gateway, 1))
        assert code_of(post_decision(reviewer, approval)) == (410, "expired")
        assert reviewer.get(f"/api/v1/approvals/{approval.id}").json()["status"] == "expired"

    def test_edit_against_the_schema_names_each_place(self, reviewer, approval):
        response = post_decision(reviewer, approval, modified_details={"order_id": 5, "amount": 2000})
        assert code_of(response) == (422, "invalid_details")
        assert {place["pointer"] for place in response.json()["errors"]} == {"/order_id", "/amount"}

    def test_missing_note_is_asked_for(self, reviewer, gateway, approval):
        change_approval(gateway, approval.id, note_required=True)
        assert code_of(post_decision(reviewer, approval)) == (422, "note_required")

    def test_own_request_is_refused(self, clients, gateway):
        [row] = ask(gateway, call("refund", ARGUMENTS), on_behalf_of="Me@example.com")
        assert code_of(post_decision(clients.with_token(email="me@example.com"), row)) == (403, "own_request")

    def test_unknown_approval_is_not_there(self, reviewer, approval):
        body = {"verdict": "approve", "details_sha256": approval.details_sha256}
        assert code_of(reviewer.post(f"/api/v1/approvals/{UNKNOWN}/decision", json=body)) == (404, "not_found")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"verdict": "maybe"}, "/verdict"),
            ({"verdict": None}, "/verdict"),
            ({"verdict": "approve", "details_sha256": "ABC"}, "/details_sha256"),
            ({"verdict": "approve", "who": "me"}, "/who"),
            ({"verdict": "reject", "modified_details": {}}, "/modified_details"),
            ({"verdict": "respond", "response": "x", "modified_details": {}}, "/modified_details"),
            ({"verdict": "approve", "modified_details": None}, "/modified_details"),
            ({"verdict": "approve", "modified_details": []}, "/modified_details"),
            ({"verdict": "respond"}, "/response"),
            ({"verdict": "respond", "response": " "}, "/response"),
            ({"verdict": "approve", "response": "x"}, "/response"),
            ({"verdict": "reject", "note": "x" * 4001}, "/note"),
            ({"verdict": "reject", "note": 5}, "/note"),
            ({"verdict": "reject", "reason_code": "x" * 101}, "/reason_code"),
        ],
    )
    def test_bad_field_is_named(self, reviewer, gateway, approval, body, pointer):
        response = post_decision(reviewer, approval, **body)
        assert code_of(response) == (422, "invalid_request")
        assert [place["pointer"] for place in response.json()["errors"]] == [pointer]
        assert load_approval(gateway, approval.id).status == "pending"

    def test_hash_must_be_sent(self, reviewer, approval):
        response = reviewer.post(f"/api/v1/approvals/{approval.id}/decision", json={"verdict": "approve"})
        assert [place["pointer"] for place in response.json()["errors"]] == ["/details_sha256"]

    @pytest.mark.parametrize(
        "edited", ['{"a":1,"a":2}', '{"a":NaN}', '{"a":"\\u0000"}', '{"a":"\\ud800"}', '{"a":1e999}']
    )
    def test_lax_json_is_refused(self, reviewer, approval, edited):
        assert code_of(post_text(reviewer, approval, edited)) == (422, "invalid_json")

    def test_nul_in_a_note_is_refused(self, reviewer, approval):
        assert code_of(post_decision(reviewer, approval, "reject", note="a\x00b")) == (422, "invalid_json")

    def test_body_over_the_limit_is_refused(self, reviewer, approval):
        assert code_of(post_decision(reviewer, approval, "reject", note="x" * 8000)) == (413, "too_large")

    def test_empty_edit_is_an_edit(self, reviewer, gateway):
        [row] = ask(gateway, call("look_up", '{"a":1}'), permission="ask")
        assert post_text(reviewer, row, "{}").json()["effective_details"] == {}


class TestResolving:
    @pytest.fixture
    def in_doubt(self, gateway, refund: RecordingTool, approval):
        refund.outcome = InDoubt("The connection broke.")
        decide(gateway, make_person(gateway), approval)
        run(gateway, approval)
        execution = load_execution(gateway, approval.id)
        assert execution is not None
        assert execution.status == "unknown"
        return approval

    def resolve(self, client, approval, **body):
        return client.post(f"/api/v1/approvals/{approval.id}/resolution", json=body)

    def test_call_that_ran_has_its_result(self, reviewer, gateway, in_doubt):
        answer = self.resolve(reviewer, in_doubt, outcome="ran", result="re_1", note="In the ledger.").json()
        assert (answer["execution"]["status"], answer["execution"]["result"]) == ("succeeded", "re_1")
        assert tool_results(gateway, in_doubt.job_id) == ["re_1"]

    def test_call_that_did_not_run_says_so(self, reviewer, gateway, in_doubt):
        answer = self.resolve(reviewer, in_doubt, outcome="did_not_run", note="Nothing there.").json()
        assert answer["execution"]["status"] == "failed"
        assert tool_results(gateway, in_doubt.job_id) == ["Error: the call did not run. Nothing there."]

    def test_call_may_run_again(self, reviewer, gateway, refund: RecordingTool, in_doubt):
        assert self.resolve(reviewer, in_doubt, outcome="run_again", note="Was down.").status_code == 200
        run(gateway, in_doubt)
        assert [context.attempt for context in refund.calls] == [1, 2]

    def test_settled_call_is_not_settled_again(self, reviewer, in_doubt):
        self.resolve(reviewer, in_doubt, outcome="ran", note="Yes.")
        assert code_of(self.resolve(reviewer, in_doubt, outcome="ran", note="Yes.")) == (409, "not_in_doubt")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"outcome": "ran"}, "/note"),
            ({"outcome": "ran", "note": " "}, "/note"),
            ({"outcome": "perhaps", "note": "x"}, "/outcome"),
            ({"outcome": "did_not_run", "note": "x", "result": "y"}, "/result"),
            ({"outcome": "ran", "note": "x", "by": "me"}, "/by"),
        ],
    )
    def test_bad_field_is_named(self, reviewer, in_doubt, body, pointer):
        response = self.resolve(reviewer, in_doubt, **body)
        assert code_of(response) == (422, "invalid_request")
        assert [place["pointer"] for place in response.json()["errors"]] == [pointer]


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.ADMIN])
def test_reviewers_and_admins_decide_with_the_cookie_too(clients, approval, role):
    assert post_decision(clients.with_cookie(role), approval).status_code == 200
