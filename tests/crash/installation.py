"""A whole installation whose processes may be killed at any time, and are started again when they were."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx2

from gateway.cli import main as countersign
from tests.crash import counter, points, process
from tests.crash.lives import KILLED, Life
from tests.crash.points import Moment, Step
from tests.crash.switch import VARIABLE, Switch

HERE = Path(__file__).parent
START_TIMEOUT_S = 30.0
GRACE_S = 25.0
LEASE_S = 3.0
PASSWORD = "correct horse battery"
REVIEWER = "reviewer@example.com"

#: What a process of each place in the installation is started with.
ALL_IN_ONE = ("serve", "--port", "{port}")
WEB_ALONE = ("serve", "--no-worker", "--port", "{port}")
WORKER = ("worker",)


@dataclass
class Seat:
    """A process of the installation: who sits there changes with every death."""

    name: str
    arguments: tuple[str, ...]
    life: Life | None = None
    lives: int = 0  #: how many have sat there
    is_wanted: bool = True

    @property
    def pid(self) -> int:
        assert self.life is not None
        return self.life.pid

    def has_begun_to_work(self) -> bool:
        """True once a worker has said so."""
        assert self.life is not None
        return self.life.log.exists() and "Working on" in self.life.log.read_text()


@dataclass(frozen=True, slots=True)
class Death:
    """A process has ended while it was wanted."""

    seat: str
    pid: int
    exit_code: int | None
    at_s: float  #: monotonic

    @property
    def was_killed(self) -> bool:
        """False when it ended by itself, which nothing here makes it do."""
        return self.exit_code == KILLED


@dataclass
class Installation:
    """Addresses, credentials, and what its processes are started with."""

    database_url: str
    folder: Path
    environment: dict[str, str]
    seats: list[Seat]
    url: str
    deaths: list[Death] = field(default_factory=list)
    app_key: str = ""
    token: str = ""
    _changing: threading.RLock = field(default_factory=threading.RLock)
    _closing: threading.Event = field(default_factory=threading.Event)

    @property
    def switch(self) -> Switch:
        return Switch(self.folder / "switch")

    @property
    def runs_file(self) -> Path:
        """What the tools write down."""
        return self.folder / "runs.jsonl"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def web(self) -> Seat:
        return self.seats[0]

    @property
    def workers(self) -> list[Seat]:
        """The processes that do queued work."""
        return self.seats if self.is_sqlite else self.seats[1:]

    def command(self, *arguments: str, given: str = "") -> str:
        """The last line that the command printed. Raises: AssertionError when it failed."""
        with NamedTemporaryFile(dir=self.folder, suffix=".out") as out, NamedTemporaryFile(dir=self.folder) as typed:
            typed.write(given.encode())
            typed.flush()
            life = Life(
                process.main, arguments, environment=self.environment, folder=self.folder,
                log=Path(out.name), given=Path(typed.name),
            )  # fmt: skip
            code = life.wait(60)
            printed = Path(out.name).read_text()
        assert code == 0, printed
        return printed.splitlines()[-1]

    def start(self, seat: Seat) -> None:
        """Somebody sits there."""
        with self._changing:
            seat.is_wanted = True
            arguments = [argument.format(port=self.url.rpartition(":")[2]) for argument in seat.arguments]
            seat.lives += 1
            log = self.folder / f"{seat.name}.{seat.lives}.log"
            seat.life = Life(process.main, arguments, environment=self.environment, folder=self.folder, log=log)

    def stop(self, seat: Seat, grace_s: float = GRACE_S) -> int | None:
        """The process has ended and is not started again; its exit code."""
        with self._changing:
            seat.is_wanted = False
        assert seat.life is not None
        seat.life.end(grace_s)
        return seat.life.exit_code

    def kill(self, seat: Seat) -> None:
        """SIGKILL; whoever looks after the installation starts it again."""
        assert seat.life is not None
        seat.life.send(signal.SIGKILL)

    def restart(self, seats: list[Seat], **environment: str) -> None:
        """These processes are others, which have this in their environment, and are ready."""
        self.environment |= environment
        for seat in seats:
            self.stop(seat)
        for seat in seats:
            self.start(seat)
        self.await_ready()

    def await_ready(self) -> None:
        """The web process answers that all is well, and workers have begun to work."""
        until(lambda: _is_ok(f"{self.url}/readyz"), START_TIMEOUT_S, self.said)
        for seat in self.workers:
            if seat is not self.web:
                until(seat.has_begun_to_work, START_TIMEOUT_S, self.said)

    def passed(self, moment: Moment, step: Step) -> int:
        """How often the point was passed so far."""
        return self.switch.passed()[points.get(moment, step).number]

    def await_passage(self, moment: Moment, step: Step, more_than: int, within_s: float) -> None:
        """The point was passed again. Raises: AssertionError when nobody came by."""
        until(lambda: self.passed(moment, step) > more_than, within_s, self.said)

    def said(self) -> str:
        """The last lines of every process that lives now."""
        logs = [seat.life.log for seat in self.seats if seat.life is not None]
        return "\n".join(f"--- {log.stem}\n{log.read_text()[-2000:]}" for log in logs if log.exists())

    @contextlib.contextmanager
    def looked_after(self) -> Iterator[None]:
        """While the block runs, a process that dies is started again at once."""
        keeper = threading.Thread(target=self._keep_alive, name="keeper", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self._closing.set()
            keeper.join()
            for seat in self.seats:
                if seat.life is not None:
                    self.stop(seat, grace_s=0)

    def _keep_alive(self) -> None:
        while not self._closing.is_set():
            with self._changing:
                at_work = {seat.life.sentinel: seat for seat in self.seats if seat.is_wanted and seat.life is not None}
            for sentinel in wait_for_any([*at_work], timeout=0.1):
                if isinstance(sentinel, int):
                    self._replace(at_work[sentinel])
            if not at_work:
                self._closing.wait(0.05)

    def _replace(self, seat: Seat) -> None:
        with self._changing:
            if not seat.is_wanted or seat.life is None or seat.life.wait(0) is None:
                return
            self.deaths.append(Death(seat.name, seat.life.pid, seat.life.exit_code, time.monotonic()))
            self.start(seat)


@contextlib.contextmanager
def installed(database_url: str, folder: Path, **settings: str) -> Iterator[Installation]:
    """An installation that is ready and looked after: SQLite in one process, PostgreSQL with two workers."""
    port, model_port, tools_port = free_port(), free_port(), free_port()
    tools = (HERE / "tools.toml").read_text().replace("TOOL_SERVER", f"http://127.0.0.1:{tools_port}")
    (folder / "tools.toml").write_text(tools)
    is_sqlite = database_url.startswith("sqlite")
    seats = (
        [Seat("serve", ALL_IN_ONE)]
        if is_sqlite
        else [Seat("web", WEB_ALONE), Seat("worker-1", WORKER), Seat("worker-2", WORKER)]
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COUNTERSIGN_", "MISTRAL_"))},
        VARIABLE: str(folder / "switch"),
        "COUNTERSIGN_DATABASE_URL": database_url,
        "COUNTERSIGN_MISTRAL_SERVER_URL": f"http://127.0.0.1:{model_port}",
        "MISTRAL_API_KEY": "scripted",
        "COUNTERSIGN_MODEL_RETRY_FIRST_S": "0.05",
        "COUNTERSIGN_MODEL_TIMEOUT_S": "10",
        "COUNTERSIGN_UNDO_HOLD_S": "5",
        "COUNTERSIGN_LEASE_S": str(LEASE_S),
        "COUNTERSIGN_LOG_LEVEL": "WARNING",
        **settings,
    }
    made = Installation(database_url, folder, environment, seats, f"http://127.0.0.1:{port}")
    with made.looked_after(), contextlib.ExitStack() as outside:
        _start_outside(made, outside, model_port, tools_port)
        made.command("migrate")
        made.command("user", "create", "--email", REVIEWER, "--role", "reviewer", "--password-stdin", given=PASSWORD)
        made.token = made.command("token", "create", "--user", REVIEWER)
        made.app_key = made.command("key", "create", "--app", "shop")
        for seat in seats:
            made.start(seat)
        made.await_ready()
        until(lambda: _is_ok(f"http://127.0.0.1:{model_port}/v1/models"), START_TIMEOUT_S, made.said)
        until(lambda: _is_ok(f"http://127.0.0.1:{tools_port}/"), START_TIMEOUT_S, made.said)
        yield made


def _start_outside(made: Installation, outside: contextlib.ExitStack, model_port: int, tools_port: int) -> None:
    """The model's API and the tools run, and go on whatever happens to the gateway."""
    script = ("mock-mistral", "--port", str(model_port), "--script", str(HERE / "conversations.toml"))
    for name, program, arguments in (
        ("model", countersign, script),
        ("tools", counter.main, (str(tools_port), str(made.runs_file))),
    ):
        life = Life(
            program, arguments, environment=made.environment, folder=made.folder, log=made.folder / f"{name}.log"
        )
        outside.callback(life.end)


def until(is_true: Callable[[], Any], timeout_s: float, say: Callable[[], str] = lambda: "") -> None:
    """Raises: AssertionError when it does not become true in time, with what ``say`` gives."""
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s, f"it did not happen within {timeout_s:g} s\n{say()}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_ok(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, headers={"Authorization": "Bearer any"}).status_code == 200
    except httpx2.HTTPError:
        return False
