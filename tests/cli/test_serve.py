"""``countersign serve`` and ``worker`` as processes: ready, alone on SQLite, and gone when asked."""

import json
import signal
import socket
import threading
import time

import httpx2
import pytest

from tests.cli.commands import Commands, Running, wait_until
from tests.cli.test_tools import HEADERS, TOOL

READY = "Countersign is ready at"
WORKING = "Working on"
STOPPED_WITHIN_S = 8.0  # it takes about one; the machine may be busy


def submit(running: Running, key: str) -> str:
    with running.http(key) as http:
        answer = http.post("/api/v1/jobs", json={"input": "hello"})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def test_serving_begins_and_ends_in_order(any_cli: Commands):
    key = any_cli.done("key", "create", "--app", "shop").strip()
    with any_cli.started("serve", "--port", "0", until=READY) as web:
        with web.http() as http:
            assert http.get("/readyz").status_code == 200
            assert "server" not in http.get("/healthz").headers
        with web.http(key) as http:
            job = http.get(f"/api/v1/jobs/{submit(web, key)}", params={"wait": 10}).json()
        stopped_s = web.stop(signal.SIGTERM)

    assert (job["status"], job["error"]["code"]) == ("failed", "model_unauthorized")
    assert web.process.returncode == 0
    assert stopped_s < STOPPED_WITHIN_S
    assert '"level": "error"' not in web.output


def test_open_stream_and_held_request_do_not_hold_up_the_end(cli: Commands):
    key = cli.done("key", "create", "--app", "shop").strip()
    with cli.started("serve", "--port", "0", "--no-worker", until=READY) as web:
        job_id = submit(web, key)
        heard: list[str] = []
        answered: list[int] = []

        def stream() -> None:
            with web.http(key) as http, http.stream("GET", f"/api/v1/jobs/{job_id}/events") as events:
                for line in events.iter_lines():
                    heard.append(line)

        def hold() -> None:
            with web.http(key) as http:
                answered.append(http.get(f"/api/v1/jobs/{job_id}", params={"wait": 60}).status_code)

        threads = [threading.Thread(target=stream), threading.Thread(target=hold)]
        for thread in threads:
            thread.start()
        wait_until(lambda: any("job.submitted" in line for line in heard) or not threads[0].is_alive(), web)
        time.sleep(0.2)  # the held request has no sign of its own
        stopped_s = web.stop(signal.SIGTERM)
        for thread in threads:
            thread.join(timeout=5)

    assert stopped_s < STOPPED_WITHIN_S
    assert answered == [200]
    assert heard
    assert '"level": "error"' not in web.output


def test_ctrl_c_is_quiet(cli: Commands):
    with cli.started("serve", "--port", "0", until=READY) as web:
        web.stop(signal.SIGINT)

    assert web.process.returncode == 0
    assert "Traceback" not in web.output
    assert all(json.loads(line)["level"] == "info" for line in web.output.splitlines() if READY not in line)


def test_sqlite_serves_one_process(cli: Commands):
    with cli.started("serve", "--port", "0", until=READY) as web:
        refusals = [cli.refused("worker"), cli.refused("serve", "--port", "0")]
        people = cli.done("user", "list")

    for code, said in refusals:
        assert code == 1
        assert f"(pid {web.process.pid}) works on var/countersign.db" in said
    assert people == ""


def test_lock_of_a_killed_process_is_free(cli: Commands):
    with cli.started("worker", until=WORKING) as worker:
        worker.process.kill()
        worker.process.wait()
        with cli.started("worker", until=WORKING) as second:
            second.stop(signal.SIGTERM)

    assert second.process.returncode == 0


def test_taken_port_is_one_sentence(empty: Commands):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refusals = [empty.refused(command, "--port", str(port)) for command in ("serve", "demo")]

    sentence = f"Port {port} at 127.0.0.1 is taken: end the program that uses it, or choose another with --port."
    assert refusals == [(2, sentence), (2, sentence)]
    assert list(empty.folder.iterdir()) == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_address_of_another_machine_is_one_sentence(empty: Commands, host: str):
    code, said = empty.refused("serve", "--host", host)

    assert code == 2
    assert said.startswith(f"Cannot listen at {host}, port 8000: ")


def test_plain_http_beyond_this_machine_is_warned_of(cli: Commands):
    with cli.started("serve", "--host", "0.0.0.0", "--port", "0", "--no-worker", until=READY) as web:
        assert f"Warning: listening at 0.0.0.0 with the plain-http address {web.url}: " in web.output
        assert httpx2.get(f"{web.url}/healthz", trust_env=False).status_code == 200


def test_public_address_where_nobody_can_sign_in_is_warned_of_as_doctor_fails_it(cli: Commands):
    cli.environment["COUNTERSIGN_PUBLIC_URL"] = "http://gate.example.com"
    (finding,) = [line for line in cli.run("doctor").stdout.splitlines() if "public URL" in line]
    sentence = finding.removeprefix("fail  public URL  ")

    with cli.started("serve", "--port", "0", "--no-worker", until=READY) as web:
        assert f"Warning: {sentence}\n" in web.output
    assert sentence.startswith("http://gate.example.com: Signing in is not possible over plain http")


def test_public_address_makes_the_links(cli: Commands):
    with cli.started("serve", "--port", "0", until=READY, COUNTERSIGN_PUBLIC_URL="https://gate.example.com") as web:
        assert "for browsers at https://gate.example.com" in web.output


def test_workers_share_postgres_and_do_the_work_of_the_web_process(empty: Commands, postgres_url: str):
    empty.environment["COUNTERSIGN_DATABASE_URL"] = postgres_url
    (empty.folder / "mytools.py").write_text("from gateway.tools.registry import ToolRegistry\nown = ToolRegistry()\n")
    key = empty.done("key", "create", "--app", "shop").strip()
    with (
        empty.started("serve", "--port", "0", "--no-worker", until=READY) as web,
        empty.started("worker", until=WORKING, COUNTERSIGN_TOOLS="mytools:own") as first,
        empty.started("worker", until=WORKING) as second,
    ):
        with web.http(key) as http:
            job = http.get(f"/api/v1/jobs/{submit(web, key)}", params={"wait": 10}).json()
        for worker in (first, second):
            assert worker.stop(signal.SIGTERM) < STOPPED_WITHIN_S
            assert worker.process.returncode == 0

    assert job["status"] == "failed"


@pytest.mark.parametrize(("command", "ready"), [("serve --port 0", READY), ("worker", WORKING)])
def test_header_without_a_value_is_warned_of_where_calls_run(cli: Commands, command: str, ready: str):
    (cli.folder / "tools.toml").write_text(TOOL.format(risk="high") + HEADERS)

    with cli.started(*command.split(), until=ready) as process:
        process.stop(signal.SIGTERM)

    warnings = [line for line in process.output.splitlines() if "tool.header_missing" in line]
    assert [json.loads(line)["level"] for line in warnings] == ["warning", "warning"]
    assert "Tool 'refund': The header Authorization needs the environment variable SHOP_TOKEN" in warnings[0]
    assert "keys/shop" in warnings[1]
