"""A whole installation in real processes: scripted Mistral, gateway, workers, and a tool server that remembers."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

HERE = Path(__file__).parent
START_TIMEOUT_S = 40.0
PASSWORD = "correct horse battery"


@dataclass
class ToolServer:
    """Answers tool calls by their path and remembers each body, byte for byte."""

    url: str
    calls: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def bodies(self, approval_id: str) -> list[bytes]:
        """What was sent for this approval, in order."""
        return [body for _, body, headers in self.calls if headers.get("idempotency-key") == approval_id]


@dataclass
class Stack:
    """One running installation and the credentials for it."""

    url: str
    database_url: str
    environment: dict[str, str]
    folder: Path
    tools: ToolServer
    app_key: str = ""
    other_app_key: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def http(self, who: str = "app") -> httpx2.Client:
        """A client that shows this one's credential."""
        secrets = {"app": self.app_key, "other_app": self.other_app_key, **self.tokens}
        headers = {"Authorization": f"Bearer {secrets[who]}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def submit(self, prompt: str, **body: Any) -> dict[str, Any]:
        with self.http() as http:
            answer = http.post("/api/v1/jobs", json={"input": prompt, **body})
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        with self.http() as http:
            job: dict[str, Any] = http.get(f"/api/v1/jobs/{job_id}").json()
        return job

    def final(self, job_id: str, timeout_s: float = 20) -> dict[str, Any]:
        """The job once it has ended."""
        with self.http() as http:
            job: dict[str, Any] = http.get(f"/api/v1/jobs/{job_id}", params={"wait": timeout_s}).json()
        assert job["status"] in {"succeeded", "failed", "cancelled"}, job
        return job

    def pending(self, job_id: str, count: int = 1) -> list[dict[str, Any]]:
        """The job's approvals that wait for a person, once there are ``count`` of them."""
        for _ in range(400):
            with self.http() as http:
                page = http.get("/api/v1/approvals", params={"job_id": job_id, "status": "pending"}).json()
            found: list[dict[str, Any]] = page["items"]
            if len(found) >= count:
                return found
            time.sleep(0.025)
        raise AssertionError(f"not {count} pending approvals: {self.job(job_id)}")

    def approval(self, approval_id: str) -> dict[str, Any]:
        with self.http("reviewer") as http:
            approval: dict[str, Any] = http.get(f"/api/v1/approvals/{approval_id}").json()
        return approval

    def in_doubt(self, approval_id: str) -> dict[str, Any]:
        """The approval once its call is in doubt."""
        for _ in range(400):
            approval = self.approval(approval_id)
            if (approval["execution"] or {}).get("status") == "unknown":
                return approval
            time.sleep(0.025)
        raise AssertionError(f"not in doubt: {self.approval(approval_id)}")

    def decide(
        self, approval: dict[str, Any], verdict: str, *, who: str = "reviewer", modified: str | None = None, **more: str
    ) -> httpx2.Response:
        """The answer to a decision; ``modified`` goes into the body as the exact text it is."""
        body = json.dumps({"verdict": verdict, "details_sha256": approval["details_sha256"], **more})
        if modified is not None:
            body = body[:-1] + f', "modified_details": {modified}}}'
        headers = {"Content-Type": "application/json"}
        with self.http(who) as http:
            return http.post(f"/api/v1/approvals/{approval['id']}/decision", content=body, headers=headers)

    def transcript(self, job_id: str) -> list[dict[str, Any]]:
        with self.http() as http:
            messages: list[dict[str, Any]] = http.get(f"/api/v1/jobs/{job_id}/transcript").json()["messages"]
        return messages

    def decisions(self, **filters: str) -> list[dict[str, Any]]:
        with self.http("auditor") as http:
            rows: list[dict[str, Any]] = http.get("/api/v1/decisions", params=filters).json()["items"]
        return rows

    def command(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A finished ``countersign`` command."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            env=self.environment, cwd=self.folder, input=given, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


@contextlib.contextmanager
def running_stack(database_url: str, folder: Path, *, workers: int) -> Iterator[Stack]:
    """An installation that is ready; ``workers`` 0 means that the web process works itself."""
    with tool_server() as tools, contextlib.ExitStack() as processes:
        (folder / "tools.toml").write_text((HERE / "tools.toml").read_text().replace("TOOL_SERVER", tools.url))
        model_port, port = free_port(), free_port()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("COUNTERSIGN_", "MISTRAL_"))},
            "COUNTERSIGN_DATABASE_URL": database_url,
            "COUNTERSIGN_MISTRAL_SERVER_URL": f"http://127.0.0.1:{model_port}",
            "MISTRAL_API_KEY": "scripted",
            "COUNTERSIGN_MODEL_RETRY_FIRST_S": "0.05",
            "COUNTERSIGN_MODEL_GIVE_UP_S": "3",
            "COUNTERSIGN_MODEL_TIMEOUT_S": "2",
            "COUNTERSIGN_UNDO_HOLD_S": "0.5",
            "COUNTERSIGN_LOG_LEVEL": "WARNING",
            "SHOP_TOKEN": "s3cret-of-the-shop",
        }
        stack = Stack(f"http://127.0.0.1:{port}", database_url, environment, folder, tools)
        migrated = stack.command("migrate")
        assert migrated.returncode == 0, migrated.stderr
        _make_people(stack)
        script = str(HERE / "conversations.toml")
        processes.enter_context(running(stack, "mock-mistral", "--port", str(model_port), "--script", script))
        web = ("serve", "--port", str(port), *(["--no-worker"] if workers else []))
        processes.enter_context(running(stack, *web))
        for _ in range(workers):
            processes.enter_context(running(stack, "worker"))
        _await(lambda: httpx2.get(f"http://127.0.0.1:{model_port}/v1/models", trust_env=False))
        _await(lambda: httpx2.get(f"{stack.url}/readyz", trust_env=False).raise_for_status())
        yield stack


@contextlib.contextmanager
def running(stack: Stack, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A ``countersign`` process that is stopped at the end, by force if it must be."""
    with (stack.folder / f"{arguments[0]}-{time.monotonic_ns()}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments],
            env=stack.environment, cwd=stack.folder, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def tool_server() -> Iterator[ToolServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            tools.calls.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
            if self.path == "/slow":
                time.sleep(1.5)
            status = 404 if self.path == "/missing" else 200
            done = json.dumps({"done": True, "call": len(tools.calls)}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(done)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(done)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tools = ToolServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield tools
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _make_people(stack: Stack) -> None:
    for role in ("reviewer", "admin", "auditor"):
        email = f"{role}@example.com"
        made = stack.command("user", "create", "--email", email, "--role", role, "--password-stdin", given=PASSWORD)
        assert made.returncode == 0, made.stderr
        stack.tokens[role] = stack.command("token", "create", "--user", email).stdout.strip()
    stack.app_key = stack.command("key", "create", "--app", "shop").stdout.strip()
    stack.other_app_key = stack.command("key", "create", "--app", "other").stdout.strip()


def _await(probe: Any) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            probe()
        except httpx2.HTTPError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
