"""Telling an app that its job has ended."""

import json
from typing import Any

import pytest

from gateway.domain.approval import Approve
from gateway.domain.callback_url import read_allowed
from gateway.domain.turn import ModelTrouble
from gateway.errors import CallbackRefused
from gateway.runner.worker import Worker
from gateway.store.session import Database
from gateway.store.tables import Delivery
from gateway.tools.base import Ran
from gateway.usecases import deadlines, jobs, turns
from gateway.usecases.callbacks import MAX_BODY_BYTES
from gateway.usecases.gateway import Gateway
from tests.factories import (
    ago,
    answer,
    answer_turn,
    call,
    change_job,
    decide,
    drive,
    load_deliveries,
    load_job,
    make_app,
    make_gateway,
    make_person,
    run,
    submit,
)
from tests.fakes import RecordingTool, ScriptedModel

URL = "https://hooks.example.com/countersign"


def told(gateway: Gateway, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Event and body of each message about the job."""
    rows = load_deliveries(gateway, job_id=job_id)
    return [(row.event, json.loads(row.body or "")) for row in rows if row.target == "callback"]


def only_row(gateway: Gateway, job_id: str) -> Delivery:
    [row] = load_deliveries(gateway, job_id=job_id)
    return row


def test_success_is_told_with_the_job_as_it_is_then(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(outcome=Ran("receipt 7")))
    job = submit(gateway, make_app("shop"), callback_url=URL, metadata_text='{"ticket":1.00}').job
    [approval] = answer_turn(gateway, job.id, call("send", '{"amount": 249.00}'))
    decide(gateway, make_person(gateway), approval, Approve('{"amount": 199.00}'))
    run(gateway, approval)
    assert told(gateway, job.id) == []

    answer_turn(gateway, job.id, text="Done.")

    row = only_row(gateway, job.id)
    assert (row.event, row.url, row.owner, row.app) == ("job.succeeded", URL, "app:shop", "shop")
    assert (row.status, row.attempts, row.form, row.approval_id) == ("pending", 0, "standard", None)
    body = json.loads(row.body or "")
    assert (body["type"], set(body)) == ("job.succeeded", {"type", "timestamp", "data"})
    assert body["timestamp"].endswith("Z")
    data = body["data"]
    assert (data["id"], data["status"], data["output"]["content"]) == (job.id, "succeeded", "Done.")
    assert (data["tool_calls"][0]["result"], data["pending_approvals"]) == ("receipt 7", [])
    assert '"arguments":{"amount": 199.00}' in (row.body or ""), "digits as they were approved"
    assert '"metadata":{"ticket":1.00}' in (row.body or "")
    assert "truncated" not in data


def test_failure_is_told_with_its_error(database: Database) -> None:
    gateway = make_gateway(database)
    job = submit(gateway, callback_url=URL).job
    trouble = ModelTrouble("model_refused", "No such model.", is_permanent=True)
    drive(Worker(gateway, ScriptedModel([trouble])), gateway, job.id)

    [(event, body)] = told(gateway, job.id)
    assert (event, body["data"]["error"]) == ("job.failed", {"code": "model_refused", "message": "No such model."})


def test_round_limit_is_told(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway, callback_url=URL, max_rounds=1).job
    answer_turn(gateway, job.id, call("send"))
    [(event, body)] = told(gateway, job.id)
    assert (event, body["data"]["error"]["code"]) == ("job.failed", "max_rounds")


def test_deadline_is_told(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway, callback_url=URL, deadline_s=60).job
    change_job(gateway, job.id, deadline_at=ago(gateway, 1))
    deadlines.end_overdue(gateway)
    [(event, body)] = told(gateway, job.id)
    assert (event, body["data"]["error"]["code"]) == ("job.failed", "deadline")


def test_cancelling_is_told_once_with_its_calls_closed(database: Database) -> None:
    gateway, app = make_gateway(database, RecordingTool()), make_app()
    job = submit(gateway, app, callback_url=URL).job
    answer_turn(gateway, job.id, call("send"))

    jobs.cancel(gateway, app, job.id)
    jobs.cancel(gateway, app, job.id)

    [(event, body)] = told(gateway, job.id)
    assert event == "job.cancelled"
    assert body["data"]["tool_calls"][0]["status"] == "cancelled"
    assert body["data"]["pending_approvals"] == []


def test_nothing_is_told_before_the_end_or_without_an_address(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    with_address, without = submit(gateway, callback_url=URL).job, submit(gateway).job
    answer_turn(gateway, with_address.id, call("send"))
    answer_turn(gateway, without.id, text="Done.")
    assert load_job(gateway, without.id).status == "succeeded"
    assert load_deliveries(gateway, job_id=with_address.id) == load_deliveries(gateway, job_id=without.id) == []


def test_late_answer_tells_nothing_more(database: Database) -> None:
    gateway, app = make_gateway(database), make_app()
    job = submit(gateway, app, callback_url=URL).job
    claim = turns.claim_turn(gateway, job.id)
    assert claim is not None
    jobs.cancel(gateway, app, job.id)
    turns.record_answer(gateway, claim, answer(text="Done."))
    assert [event for event, _ in told(gateway, job.id)] == ["job.cancelled"]


def test_secrets_are_masked(database: Database) -> None:
    schema = {"type": "object", "properties": {"card": {"type": "string"}, "note": {"type": "string"}}}
    gateway = make_gateway(database, RecordingTool(schema=schema, secret=("/card",), approval="auto"))
    job = submit(gateway, callback_url=URL).job
    [approval] = answer_turn(gateway, job.id, call("send", '{"card":"4111 1111","note":"x"}'))
    run(gateway, approval)
    answer_turn(gateway, job.id, text="Done.")

    body = only_row(gateway, job.id).body or ""
    assert "4111" not in body
    assert '"arguments":{"card":"••••","note":"x"}' in body


@pytest.mark.parametrize("letter", ["x", "😀"])
def test_output_that_is_too_long_is_left_out(database: Database, letter: str) -> None:
    gateway = make_gateway(database)
    job = submit(gateway, callback_url=URL, metadata_text='{"a":1}').job
    answer_turn(gateway, job.id, text=letter * 70_000)

    row = only_row(gateway, job.id)
    data = json.loads(row.body or "")["data"]
    assert (data["output"], data["truncated"], data["metadata"]) == (None, True, {"a": 1})
    assert len((row.body or "").encode()) <= MAX_BODY_BYTES


def test_long_results_and_long_metadata_are_left_out_too(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(approval="auto", outcome=Ran("r" * 60_000)))
    job = submit(gateway, callback_url=URL, metadata_text=json.dumps({"a": "x" * 64_000})).job
    [approval] = answer_turn(gateway, job.id, call("send"))
    run(gateway, approval)
    answer_turn(gateway, job.id, text="Done.")

    row = only_row(gateway, job.id)
    data = json.loads(row.body or "")["data"]
    assert (data["output"], data["tool_calls"], data["truncated"]) == (None, [], True)
    assert (data["id"], data["status"]) == (job.id, "succeeded")
    assert len((row.body or "").encode()) <= MAX_BODY_BYTES


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com", "https://127.0.0.1", "https://localhost/x", "nonsense", "https://u:p@a.example.com"],
)
def test_address_that_may_not_be_sent_to_is_refused_with_the_job(database: Database, url: str) -> None:
    gateway = make_gateway(database)
    with pytest.raises(CallbackRefused) as refused:
        submit(gateway, callback_url=url)
    assert refused.value.message.startswith("callback_url: ")


def test_address_that_the_operator_allows_is_taken(database: Database) -> None:
    gateway = make_gateway(database, callback_allow=read_allowed("127.0.0.1,hooks.internal"))
    for url in ("http://127.0.0.1:9000/x", "http://hooks.internal/x"):
        assert load_job(gateway, submit(gateway, callback_url=url).job.id).callback_url == url
