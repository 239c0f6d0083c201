"""``GET /api/v1/decisions``: lists and exports."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.api.decision_view import COLUMNS, DecisionView
from gateway.domain.approval import Approve, Reject, Verdict
from gateway.domain.permission import Scope
from gateway.store import decisions
from gateway.usecases import ledger
from tests.api.problems import code_of
from tests.factories import ago, ask, call, change_approval, decide, make_app, make_person

EDIT = '{"order_id" : "b",  "amount": 1.10}'


@pytest.fixture
def log(gateway):
    """Three decisions, oldest first: an edit, a rejection, and one about another app's call."""
    judge = make_person(gateway, email="judge@example.com")
    asked = [
        ask(gateway, call("refund", '{"order_id":"a"}'), actor=make_app(app))[0] for app in ("shop", "shop", "other")
    ]
    decide(gateway, judge, asked[0], Approve(EDIT), note="=cmd|'/c calc'!A1")
    decide(gateway, make_person(gateway), asked[1], Reject(), note="too late, sorry", reason_code="+late")
    decide(gateway, judge, asked[2])
    return asked


def verdicts(client, query=""):
    response = client.get(f"/api/v1/decisions?{query}")
    assert response.status_code == 200, response.text
    return [(item["approval_id"], item["verdict"]) for item in response.json()["items"]]


def test_app_does_not_see_an_approval_before_its_release(gateway, clients):
    [approval] = ask(gateway, call("refund", '{"order_id":"a"}'), actor=make_app("shop"))
    decide(gateway, make_person(gateway), approval, channel="page")
    app, reviewer = clients.with_key("shop", Scope.READ), clients.with_token()
    query = f"approval_id={approval.id}"

    assert verdicts(app, query) == []
    assert verdicts(reviewer, query) == [(approval.id, "approve")]
    change_approval(gateway, approval.id, release_at=ago(gateway, 0.001))
    assert verdicts(app, query) == [(approval.id, "approve")]


def test_list_is_newest_first_in_pages(reviewer, log):
    first = reviewer.get("/api/v1/decisions?limit=2").json()
    second = reviewer.get("/api/v1/decisions", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [item["approval_id"] for item in first["items"] + second["items"]] == [row.id for row in reversed(log)]
    assert second["next_cursor"] is None


def test_decision_has_the_tables_columns_and_the_exact_edit(reviewer, log):
    answer = reviewer.get(f"/api/v1/decisions?approval_id={log[0].id}")
    assert list(answer.json()["items"][0]) == list(COLUMNS) == list(DecisionView.model_fields)
    assert f'"modified_details":{EDIT}' in answer.text


def test_app_sees_the_decisions_about_its_own_calls(shop, log):
    assert [approval_id for approval_id, _ in verdicts(shop)] == [log[1].id, log[0].id]
    assert log[2].id not in shop.get("/api/v1/decisions?format=csv").text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("verdict=reject", [1]), ("reviewer=JUDGE", [2, 0]), ("action=refund", [2, 1, 0]), ("action=x", []),
        ("job_id={job_id}", [0]), ("q=sorry%20late", [1]), ("q=%25", []), ("rule=x", []), ("verdict=reject&q=calc", []),
        ("from=2020-01-01T00:00:00Z", [2, 1, 0]), ("to=2020-01-01T00:00:00Z", []),
        ("from=2020-01-01T00:00:00%2B02:00&to=2999-01-01T00:00:00Z", [2, 1, 0]),
    ],
)  # fmt: skip
def test_list_is_narrowed(reviewer, log, query, expected):
    found = [approval_id for approval_id, _ in verdicts(reviewer, query.format(job_id=log[0].job_id))]
    assert found == [log[index].id for index in expected]


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday", "from=2026-01-01T00:00:00", "verdict=maybe", "format=xml", "who=me", "cursor=WyJhIl0",
        "from=0001-01-01T00:00:00%2B14:00", "to=9999-12-31T23:59:59-14:00",
    ],
)  # fmt: skip
def test_bad_parameter_is_refused(reviewer, query):
    assert code_of(reviewer.get(f"/api/v1/decisions?{query}")) == (422, "invalid_request")


class TestExports:
    @pytest.mark.parametrize("asked", ["limit=3", "cursor=MQ"])
    @pytest.mark.parametrize("form", ["csv", "ndjson"])
    def test_an_export_has_no_pages(self, reviewer, form, asked):
        refused = reviewer.get(f"/api/v1/decisions?format={form}&{asked}")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")

    def test_csv_is_oldest_first_with_the_tables_columns(self, reviewer, log):
        response = reviewer.get("/api/v1/decisions", headers={"Accept": "text/csv"})
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        lines = list(csv.DictReader(io.StringIO(response.text, newline="")))
        assert list(lines[0]) == list(COLUMNS)
        assert [line["approval_id"] for line in lines] == [row.id for row in log]
        assert (lines[0]["modified_details"], lines[0]["is_final"], lines[1]["rule_id"]) == (EDIT, "true", "")
        assert datetime.fromisoformat(lines[0]["at"]) - datetime.now(UTC) < timedelta(minutes=1)

    def test_no_cell_of_csv_is_a_formula(self, reviewer, log):
        lines = list(csv.DictReader(io.StringIO(reviewer.get("/api/v1/decisions?format=csv").text, newline="")))
        assert lines[0]["note"] == "'=cmd|'/c calc'!A1"
        assert lines[1]["reason_code"] == "'+late"

    def test_ndjson_is_one_document_per_line(self, reviewer, log):
        response = reviewer.get("/api/v1/decisions", headers={"Accept": "application/x-ndjson"})
        documents = [json.loads(line) for line in response.text.splitlines()]
        assert [document["approval_id"] for document in documents] == [row.id for row in log]
        assert EDIT in response.text

    def test_edit_over_several_lines_stays_on_one_line_of_ndjson(self, reviewer, gateway):
        [row] = ask(gateway, call("refund", '{"order_id":"a"}'))
        edit = '{\r\n "order_id": "b\\n",\n "amount": 1.10}'
        decide(gateway, make_person(gateway), row, Approve(edit))
        lines = reviewer.get("/api/v1/decisions?format=ndjson").text.removesuffix("\n")
        assert not {"\r", "\n"} & set(lines)
        assert json.loads(lines)["modified_details"] == json.loads(edit)
        assert '"amount": 1.10' in lines

    def test_export_goes_on_over_batches(self, reviewer, gateway, log):
        count = decisions.STREAM_BATCH + 2
        [row] = ask(gateway, call("refund", '{"order_id":"a"}'))
        with gateway.database.write() as session:
            now = gateway.database.now(session)
            entries = [ledger.entry(row, Verdict.EXTEND, ledger.SYSTEM, now) for _ in range(count)]
            decisions.append(session, entries)
        lines = reviewer.get("/api/v1/decisions?format=ndjson").text.splitlines()
        assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(log) + count + 1))

    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("text/html, */*;q=0.8", "application/json"),
            ("application/json;q=0.5, text/csv;q=0.9", "text/csv; charset=utf-8"),
            ("text/csv;q=0", "application/json"),
        ],
    )
    def test_best_liked_form_is_sent(self, reviewer, log, accept, media_type):
        response = reviewer.get("/api/v1/decisions", headers={"Accept": accept})
        assert response.headers["content-type"] == media_type


def test_head_is_not_there_yet(reviewer):
    assert code_of(reviewer.get("/api/v1/decisions/head")) == (404, "not_found")
