"""``countersign serve`` tells apps and reviewers, as its settings say."""

import base64
import json
import signal

import pytest
from standardwebhooks import Webhook

from gateway.demo.script import read_script
from gateway.demo.scripted_model import running
from tests.cli.commands import Commands, wait_until
from tests.notifications.receiver import Received, receiving

SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
SCRIPT = """
[[conversations]]
when = "refund"
[[conversations.turns]]
content = "Words of the model."
[[conversations.turns.tool_calls]]
name = "refund"
arguments = '{"order_id": "argument_of_the_model"}'
[[conversations.turns]]
content = "Done."
"""
TOOLS = """
[[tool]]
name = "refund"
kind = "http"
url = "http://127.0.0.1:{port}/tools/refund"
description = "Pay back an order."
risk = "high"
parameters = {{ type = "object", properties = {{ order_id = {{ type = "string" }} }} }}
"""


def test_reviewers_hear_of_a_call_and_the_app_of_the_end_of_its_job(any_cli: Commands):
    key = any_cli.done("key", "create", "--app", "shop").strip()
    any_cli.done("user", "create", "--email", "rita@example.com", "--role", "reviewer")
    token = any_cli.done("token", "create", "--user", "rita@example.com").strip()
    (any_cli.folder / "script.toml").write_text(SCRIPT)
    with receiving() as world, running(read_script(any_cli.folder / "script.toml"), validate=False) as model:

        def received(path: str) -> list[Received]:
            return [got for got in world.received if got.path == path]

        (any_cli.folder / "tools.toml").write_text(TOOLS.format(port=world.port))
        settings = {
            "MISTRAL_API_KEY": "any",
            "COUNTERSIGN_MISTRAL_SERVER_URL": model.url,
            "COUNTERSIGN_CALLBACK_ALLOW": "127.0.0.1",
            "COUNTERSIGN_WEBHOOK_SECRET": SECRET,
            "COUNTERSIGN_NOTIFY_URL": f"json://127.0.0.1:{world.port}/told/s3cret",
            "COUNTERSIGN_PUBLIC_URL": "https://gate.example.com",
            "COUNTERSIGN_LOG_LEVEL": "DEBUG",
        }
        with any_cli.started("serve", "--port", "0", until="Countersign is ready at", **settings) as web:
            with web.http(key) as http:
                answer = http.post("/api/v1/jobs", json={"input": "refund", "callback_url": world.url + "?token=t0ken"})
            assert answer.status_code == 202, answer.text
            job_id = answer.json()["id"]
            wait_until(lambda: bool(received("/told/s3cret")), web)
            with web.http(token) as http:
                [approval] = http.get("/api/v1/approvals", params={"status": "pending"}).json()["items"]
                ruling = {"verdict": "approve", "details_sha256": approval["details_sha256"]}
                assert http.post(f"/api/v1/approvals/{approval['id']}/decision", json=ruling).status_code == 200
            wait_until(lambda: bool(received("/hook?token=t0ken")), web)
            with web.http(key) as http:
                [delivery] = http.get("/api/v1/webhook-deliveries", params={"job_id": job_id}).json()["items"]
            web.stop(signal.SIGTERM)

    [told] = received("/told/s3cret")
    assert f"https://gate.example.com/approvals/{approval['id']}" in told.body
    assert "argument_of_the_model" not in told.body
    assert "Words of the model" not in told.body
    [hook] = received("/hook?token=t0ken")
    body = Webhook(SECRET).verify(hook.body, hook.headers)
    assert (body["type"], body["data"]["id"], body["data"]["output"]["content"]) == ("job.succeeded", job_id, "Done.")
    assert hook.headers["webhook-id"] == delivery["id"]
    for secret in (SECRET, "s3cret", "t0ken"):
        assert secret not in web.output
    assert '"level": "error"' not in web.output
    assert web.process.returncode == 0
    logged = [json.loads(line) for line in web.output.splitlines() if line.startswith("{")]
    assert [entry["delivery_id"] for entry in logged if entry.get("about") == "job.succeeded"] == [delivery["id"]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"COUNTERSIGN_WEBHOOK_SECRET": "whsec_s3cret"}, "COUNTERSIGN_WEBHOOK_SECRET: each secret is whsec_"),
        (
            {"COUNTERSIGN_NOTIFY_URL": "json://a.example.com/s3cret"},
            "COUNTERSIGN_NOTIFY_URL needs COUNTERSIGN_PUBLIC_URL",
        ),
        (
            {"COUNTERSIGN_NOTIFY_URL": "file:///tmp/s3cret", "COUNTERSIGN_PUBLIC_URL": "https://gate.example.com"},
            "tells this",
        ),
        ({"COUNTERSIGN_CALLBACK_ALLOW": "10.0.0.1/8"}, "COUNTERSIGN_CALLBACK_ALLOW: '10.0.0.1/8' is neither"),
    ],
)
def test_setting_that_cannot_be_used_is_refused_at_the_start(cli: Commands, settings: dict[str, str], sentence: str):
    result = cli.run("worker", MISTRAL_API_KEY="any", **settings)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "s3cret" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
