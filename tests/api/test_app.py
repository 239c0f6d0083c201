"""The whole web process: settings in, a job done, an orderly end."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi.testclient import TestClient

from gateway.app import create_app
from gateway.demo.script import read_script
from gateway.demo.scripted_model import running
from gateway.domain.permission import Scope
from gateway.errors import SchemaOutdated
from gateway.settings import read_settings
from gateway.tools.registry import ToolRegistry
from gateway.usecases import accounts
from tests.factories import make_person
from tests.fakes import RecordingTool

SCRIPT = """
[[conversations]]
when = "refund"

[[conversations.turns]]
[[conversations.turns.tool_calls]]
name = "refund"
arguments = '{"order_id": "ord_1", "amount": 249.00}'

[[conversations.turns]]
content = "Done: {result:1}"
"""


@pytest.fixture
def tool() -> RecordingTool:
    return RecordingTool("refund")


@pytest.fixture
def registry(tool: RecordingTool) -> ToolRegistry:
    registry = ToolRegistry()
    registry.register(tool)
    return registry


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path):
    (tmp_path / "script.toml").write_text(SCRIPT)
    with running(read_script(tmp_path / "script.toml")) as model:
        yield read_settings(
            _env_file=None, database_url=sqlite_url, mistral_server_url=model.url, public_url="https://gate.example.com"
        )


def test_job_is_done_from_submission_to_the_last_answer(settings, registry, tool):
    app = create_app(settings, base_url="http://testserver", with_worker=True, registry=registry)
    with TestClient(app) as client:
        gateway = app.state.gateway
        key = accounts.create_key(gateway, app="shop", scopes=tuple(Scope))
        token = accounts.create_token(gateway, email=make_person(gateway).email)
        client.headers["X-API-Key"] = key
        assert client.get("/readyz").json()["checks"]["worker"] == "ok"
        job = client.post("/api/v1/jobs", json={"input": "refund ord_1"}).json()
        approval = wait_for_approval(client)
        assert approval["review_url"] == f"https://gate.example.com/approvals/{approval['id']}"
        decided = client.post(
            f"/api/v1/approvals/{approval['id']}/decision",
            json={"verdict": "approve", "details_sha256": approval["details_sha256"]},
            headers={"X-API-Key": token},
        )
        assert decided.status_code == 200
        final = client.get(f"/api/v1/jobs/{job['id']}?wait=20").json()
    assert (final["status"], final["output"]["content"]) == ("succeeded", "Done: sent")
    assert tool.received == ['{"order_id": "ord_1", "amount": 249.00}']


def wait_for_approval(client: TestClient) -> dict[str, Any]:
    for _ in range(200):
        if items := client.get("/api/v1/approvals?status=pending").json()["items"]:
            found: dict[str, Any] = items[0]
            return found
        time.sleep(0.02)
    raise AssertionError("no call was asked")


def test_process_without_a_worker_says_nothing_of_one(settings, registry):
    with TestClient(create_app(settings, base_url="http://x", with_worker=False, registry=registry)) as client:
        assert client.get("/readyz").json()["checks"].keys() == {"database", "schema", "engine"}


def test_old_schema_stops_the_start(tmp_path, registry):
    settings = read_settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'empty.db'}")
    app = create_app(settings, base_url="http://x", with_worker=False, registry=registry)
    with pytest.raises(SchemaOutdated, match="countersign migrate"), TestClient(app):
        raise AssertionError("it started")


@pytest.fixture
def served(settings, registry) -> Iterator[tuple[uvicorn.Server, str]]:
    app = create_app(settings, base_url="http://127.0.0.1", with_worker=False, registry=registry)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_open_streams_and_waits_do_not_hold_up_the_end(served):
    server, url = served
    app = server.config.app
    key = accounts.create_key(app.state.gateway, app="shop", scopes=tuple(Scope))
    with httpx2.Client(base_url=url, headers={"X-API-Key": key}, timeout=20) as client:
        job = client.post("/api/v1/jobs", json={"input": "refund"}).json()
        with client.stream("GET", f"/api/v1/jobs/{job['id']}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: job.submitted"
            began_s = time.monotonic()
            app.state.closing.begin()
            server.should_exit = True
            assert list(lines)
    assert time.monotonic() - began_s < 5
