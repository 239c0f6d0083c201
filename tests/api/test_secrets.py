"""Secrets of a tool: masked in every answer, page and log line, put back where a mask is posted, revealed on record."""

import json
import logging

import pytest

from gateway.domain.permission import Role
from gateway.tools.tools_file import load_tools_file
from tests.api.problems import code_of
from tests.api.test_approvals import post_decision, post_text
from tests.factories import (
    answer_turn,
    ask,
    call,
    load_approval,
    load_decisions,
    load_events,
    make_app,
    run,
    submit,
    tool_results,
)
from tests.fakes import RecordingTool
from tests.tools.conftest import ToolServer

CARD, PIN, CODE, NEW_CARD = "PLANTED-4929", "77310042", "PLANTED-code", "PLANTED-new"
SECRETS = ["/card", "/buyer/pin", "/codes"]
SCHEMA = {
    "type": "object",
    "properties": {
        "card": {"type": "string", "maxLength": 20},
        "buyer": {"type": "object", "properties": {"pin": {"type": "number"}}},
        "codes": {"type": ["object", "array"]},
        "amount": {"type": "number", "maximum": 500},
    },
}
DETAILS = (
    '{"card": "PLANTED-4929",  "buyer": {"name": "Lena", "pin": 77310042}, "codes": {"PLANTED-code": 1}, '
    '"amount": 249.00}'
)
SEEN = '{"card": "••••",  "buyer": {"name": "Lena", "pin": "••••"}, "codes": "••••", "amount": 249.00}'
EDITED = SEEN.replace("249.00", "199.00")


@pytest.fixture
def pay(gateway) -> RecordingTool:
    tool = RecordingTool("pay", schema=SCHEMA, title="Pay {amount} with {card} {codes}", secret=SECRETS)
    gateway.tools.register(tool)
    return tool


@pytest.fixture
def approval(gateway, pay):
    (made,) = ask(gateway, call("pay", DETAILS), actor=make_app("shop"))
    return made


def address(approval, action=""):
    return f"/api/v1/approvals/{approval.id}{action}"


class TestMasking:
    def test_all_but_the_secrets_is_shown_byte_for_byte(self, shop, approval):
        answer = shop.get(address(approval)).text
        assert f'"details":{SEEN}' in answer
        assert json.loads(answer)["secrets"] == SECRETS
        assert json.loads(answer)["title"] == "Pay 249.00 with •••• ••••"

    def test_secrets_of_the_asking_stay_when_the_tool_names_none_any_more(self, gateway, pay, shop, approval):
        pay.define(name="pay", schema=SCHEMA)
        assert f'"details":{SEEN}' in shop.get(address(approval)).text

    def test_secrets_are_no_part_of_what_a_tool_is(self, gateway, pay, reviewer, approval):
        pay.define(name="pay", schema=SCHEMA, secret=["/card"])
        assert post_decision(reviewer, approval).status_code == 200

    def test_words_of_a_secret_find_no_decision(self, reviewer, approval):
        post_text(reviewer, approval, EDITED)
        assert reviewer.get("/api/v1/decisions?q=PLANTED").json()["items"] == []
        assert len(reviewer.get("/api/v1/decisions?q=pay").json()["items"]) == 1


class TestPostedMasks:
    def test_mask_means_unchanged_and_the_true_text_is_hashed_and_run(self, gateway, pay, reviewer, approval):
        answer = post_text(reviewer, approval, EDITED)
        meant = DETAILS.replace("249.00", "199.00")
        assert f'"effective_details":{EDITED}' in answer.text
        run(gateway, approval)
        assert pay.received == [meant]
        [decision] = load_decisions(gateway, approval.id)
        assert decision.modified_details == meant
        assert decision.effective_sha256 == load_approval(gateway, approval.id).effective_sha256
        assert EDITED in tool_results(gateway, approval.job_id)[0]

    def test_same_edit_with_masks_or_with_the_true_values_is_the_same_decision(self, gateway, reviewer, approval):
        assert post_text(reviewer, approval, EDITED).status_code == 200
        assert post_text(reviewer, approval, EDITED).status_code == 200
        assert post_text(reviewer, approval, DETAILS.replace("249.00", "199.00")).status_code == 200
        assert len(load_decisions(gateway, approval.id)) == 1

    def test_masks_alone_are_no_edit(self, gateway, reviewer, approval):
        assert post_text(reviewer, approval, SEEN).json()["modified_details"] is None
        row = load_approval(gateway, approval.id)
        assert (row.modified_details, row.effective_sha256) == (None, row.details_sha256)

    def test_new_value_is_taken_and_masked(self, gateway, pay, reviewer, approval):
        answer = post_text(reviewer, approval, EDITED.replace('"card": "••••"', f'"card": "{NEW_CARD}"'))
        assert answer.json()["modified_details"]["card"] == "••••"
        run(gateway, approval)
        assert json.loads(pay.received[0])["card"] == NEW_CARD
        assert NEW_CARD not in tool_results(gateway, approval.job_id)[0]

    def test_mask_elsewhere_is_a_text(self, gateway, pay, reviewer, approval):
        edited = '{"note": "••••", "card": "••••"}'
        assert post_text(reviewer, approval, edited).status_code == 200
        run(gateway, approval)
        assert pay.received == ['{"note": "••••", "card": "PLANTED-4929"}']

    def test_refused_edit_quotes_no_secret(self, reviewer, approval):
        answer = post_text(reviewer, approval, EDITED.replace('"card": "••••"', f'"card": "{NEW_CARD * 5}"'))
        assert code_of(answer) == (422, "invalid_details")
        assert answer.json()["errors"][0]["pointer"] == "/card"
        assert NEW_CARD not in answer.text


class TestRevealing:
    def test_values_are_exact_and_the_feed_says_who_saw_which(self, gateway, clients, approval):
        person = clients.with_token(email="lena@example.com")
        answer = person.post(address(approval, "/reveal"), json={})
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            "values": {"/card": CARD, "/buyer/pin": int(PIN), "/codes": {CODE: 1}}, "modified_values": {},
        }  # fmt: skip
        seen = load_events(gateway, approval.job_id)[-1]
        facts = json.loads(seen.data)
        assert (seen.name, seen.approval_id, facts["paths"]) == ("approval.revealed", approval.id, SECRETS)
        assert (facts["by"], facts["channel"]) == ("lena", "api")
        assert not any(secret in seen.data for secret in (CARD, PIN, CODE))

    def test_only_what_was_asked_for_is_revealed_and_named(self, gateway, reviewer, approval):
        answer = reviewer.post(address(approval, "/reveal"), json={"pointers": ["/card", "/card"]})
        assert answer.json()["values"] == {"/card": CARD}
        assert json.loads(load_events(gateway, approval.job_id)[-1].data)["paths"] == ["/card"]

    def test_edited_secret_is_revealed_beside_the_asked_one(self, reviewer, approval):
        post_text(reviewer, approval, EDITED.replace('"card": "••••"', f'"card": "{NEW_CARD}"'))
        answer = reviewer.post(address(approval, "/reveal"), json={"pointers": ["/card"]})
        assert answer.json() == {"values": {"/card": CARD}, "modified_values": {"/card": NEW_CARD}}

    @pytest.mark.parametrize("pointers", [["/amount"], ["/nothing"], ["card"], [""], [], "x", [1], ["/card", "/~"]])
    def test_what_is_no_secret_is_refused_and_not_logged(self, gateway, reviewer, approval, pointers):
        before = len(load_events(gateway, approval.job_id))
        answer = reviewer.post(address(approval, "/reveal"), json={"pointers": pointers})
        assert code_of(answer) == (422, "invalid_request")
        assert len(load_events(gateway, approval.job_id)) == before

    def test_those_who_may_not_decide_see_nothing(self, gateway, clients, shop, approval):
        auditor = clients.with_token(Role.AUDITOR)
        before = len(load_events(gateway, approval.job_id))
        for client, status in ((shop, 403), (auditor, 403), (clients.anonymous(), 401)):
            answer = client.post(address(approval, "/reveal"), json={})
            assert answer.status_code == status
            assert CARD not in answer.text
        assert len(load_events(gateway, approval.job_id)) == before

    def test_unknown_call_wrong_method_and_odd_bodies_are_refused(self, reviewer, approval):
        path = address(approval, "/reveal")
        unknown = "/api/v1/approvals/apr_" + "0" * 26 + "/reveal"
        assert code_of(reviewer.post(unknown, json={})) == (404, "not_found")
        assert code_of(reviewer.get(path)) == (405, "method_not_allowed")
        assert code_of(reviewer.post(path, json={"pointers": ["/" + "x" * 9000]})) == (413, "too_large")
        assert code_of(reviewer.post(path, json={"pointer": "/card"})) == (422, "invalid_request")
        assert code_of(reviewer.post(path, content=b"{", headers={"Content-Type": "application/json"}))[0] == 422
        assert code_of(reviewer.post(path, content=b"x"))[0] == 415


def test_http_tool_of_the_tools_file_receives_the_true_value(gateway, reviewer, tmp_path):
    server = ToolServer()
    try:
        server.answer(200, b"paid")
        file = tmp_path / "tools.toml"
        file.write_text(
            f'[[tool]]\nname = "charge"\nkind = "http"\nurl = "{server.url}"\ndescription = "Charge a card."\n'
            'payload = "arguments"\nsecret = ["/card"]\n'
            '[tool.parameters.properties.card]\ntype = "string"\n[tool.parameters.properties.amount]\n'
        )
        load_tools_file(file, gateway.tools)
        (made,) = ask(gateway, call("charge", f'{{"card": "{CARD}", "amount": 1.50}}'))
        assert CARD not in reviewer.get("/api/v1/approvals").text
        post_text(reviewer, made, '{"card": "••••", "amount": 1.20}')
        run(gateway, made)
        assert [one.body.decode() for one in server.received] == [f'{{"card": "{CARD}", "amount": 1.20}}']
    finally:
        server.close()
        gateway.tools.close()


def test_planted_values_are_in_no_sink(gateway, clients, shop, pay, reviewer, caplog):
    caplog.set_level(logging.DEBUG)
    app = make_app("shop")
    (edited,) = ask(gateway, call("pay", DETAILS), actor=app)
    answers = [
        post_text(reviewer, edited, EDITED.replace("199", "999")),  # 422
        post_text(reviewer, edited, EDITED.replace('"pin": "••••"', f'"pin": "{CARD}", "pin": 2')),
        post_text(reviewer, edited, EDITED.replace('"card": "••••"', f'"card": "{NEW_CARD}"')),
        post_decision(reviewer, edited, "reject"),  # 409
        post_text(clients.with_token(), edited, EDITED),  # 409
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 200, 409, 409]
    run(gateway, edited)
    job = submit(gateway, app).job
    (rejected,) = answer_turn(gateway, job.id, call("pay", DETAILS))
    answers.append(post_decision(reviewer, rejected, "reject", note="No."))
    again = DETAILS.replace(CARD, NEW_CARD).replace(CODE, "PLANTED-other")
    calls = [call("pay", DETAILS), call("pay", again), call("pay", DETAILS[:-1]), call("pay", json.loads(DETAILS))]
    answer_turn(gateway, job.id, *calls, call("pay", DETAILS.replace(PIN, f"{PIN}e999")))
    one_round = submit(gateway, app, max_rounds=1).job
    answer_turn(gateway, one_round.id, call("pay", DETAILS), call("pay", json.loads(DETAILS)))
    said = json.dumps({"role": "assistant", "tool_calls": [call("pay", DETAILS), call("pay", json.loads(DETAILS))]})
    told = submit(gateway, app, messages=(("assistant", said),)).job

    paths = ["/api/v1/approvals", "/api/v1/jobs", "/api/v1/tools", "/api/v1/decisions"]
    paths += ["/api/v1/decisions?format=csv", "/api/v1/decisions?format=ndjson"]
    paths += [f"/api/v1/approvals/{item['id']}" for item in reviewer.get("/api/v1/approvals").json()["items"]]
    for job_id in (edited.job_id, job.id, one_round.id, told.id):
        paths += [f"/api/v1/jobs/{job_id}", f"/api/v1/jobs/{job_id}/transcript"]
    paths.append(f"/api/v1/jobs/{one_round.id}/events")
    answers += [client.get(path) for client in (shop, reviewer, clients.with_token(Role.AUDITOR)) for path in paths]
    browser = clients.with_cookie()
    pages = ["/", "/?q=pay", "/history", "/history?q=199", "/tools", f"/?decided={edited.id}"]
    pages += [f"/jobs/{job_id}" for job_id in (edited.job_id, job.id, one_round.id, told.id)]
    for item in reviewer.get("/api/v1/approvals").json()["items"]:
        pages += [f"/approvals/{item['id']}?view={view}" for view in ("form", "json", "changes")]
    answers += [who.get(page) for who in (browser, clients.with_cookie(Role.AUDITOR)) for page in pages]

    assert {answer.status_code for answer in answers} == {200, 409, 422}
    assert len(answers) > 60
    leaks = [
        (answer.request.url.path, planted)
        for answer in answers
        for planted in ("PLANTED", PIN)
        if planted in answer.text
    ]
    assert leaks == []
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "PLANTED" not in logged
    assert PIN not in logged
    # The model has what it said itself, and the tool the true values; nobody else does.
    assert CARD in (load_approval(gateway, rejected.id).details or "")
    assert json.loads(pay.received[0])["card"] == NEW_CARD
