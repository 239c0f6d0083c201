"""A running gateway, the unmodified SDK as its client, and a reviewer who decides as soon as something waits."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from cheqpoint import CheqpointClient

from gateway.domain.approval import Choice
from gateway.domain.permission import PersonActor, Scope
from gateway.store import approvals
from gateway.store.session import Database
from gateway.store.tables import Approval
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from tests.factories import decide, make_gateway, make_person
from tests.fakes import RecordingTool
from tests.served import Served

WAIT_S = 20.0


@dataclass
class Reviewer:
    """A person beside the program that waits; ``decided_at_s`` is when they had decided, by the monotonic clock."""

    gateway: Gateway
    person: PersonActor
    decided_at_s: list[float] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))

    def soon(self, choice: Choice | None = None, *, after_s: float = 0.2, **ruling: object) -> None:
        """Decides the next request that waits."""
        self.do_soon(lambda waiting: decide(self.gateway, self.person, waiting, choice, **ruling), after_s=after_s)

    def do_soon(self, act: Callable[[Approval], object], *, after_s: float = 0.2) -> None:
        self._pool.submit(self._act, act, after_s).add_done_callback(lambda done: done.result())

    def waiting(self) -> Approval:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            with self.gateway.database.read() as session:
                found = approvals.page(session, statuses=["pending"]).items
            if found:
                return found[0]
            time.sleep(0.01)
        raise AssertionError("nothing waits")

    def _act(self, act: Callable[[Approval], object], after_s: float) -> None:
        waiting = self.waiting()
        time.sleep(after_s)
        act(waiting)
        self.decided_at_s.append(time.monotonic())

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def gateway(database: Database) -> Gateway:
    return make_gateway(database, RecordingTool("look_up", approval="auto", risk="low"), undo_hold_s=0)


@pytest.fixture
def served(gateway: Gateway) -> Iterator[Served]:
    served = Served(gateway)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def key(gateway: Gateway) -> str:
    return accounts.create_key(gateway, app="shop", scopes=tuple(Scope))


@pytest.fixture
def client(served: Served, key: str) -> CheqpointClient:
    return CheqpointClient(api_key=key, base_url=f"{served.url}/", timeout=WAIT_S)


@pytest.fixture
def reviewer(gateway: Gateway) -> Iterator[Reviewer]:
    reviewer = Reviewer(gateway, make_person(gateway))
    yield reviewer
    reviewer.close()


@pytest.fixture
def at_once() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Runs something in a thread that the test waits for."""
    threads: list[threading.Thread] = []

    def run(act: Callable[[], object]) -> None:
        thread = threading.Thread(target=act)
        threads.append(thread)
        thread.start()

    yield run
    for thread in threads:
        thread.join(WAIT_S)
