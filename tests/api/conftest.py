"""The real application on SQLite, without a worker: tests do the worker's part by hand."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from gateway.app import assemble
from gateway.domain.permission import Role, Scope
from gateway.store.session import Database
from gateway.store.tables import SignIn
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from gateway.web.address import Site
from gateway.web.state import BodyLimits
from tests.engine.workers import wait_until
from tests.factories import make_gateway, make_person
from tests.fakes import RecordingTool

REFUND_SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "number", "maximum": 1000}},
    "required": ["order_id"],
}
LIMITS = BodyLimits(job_bytes=20_000, decision_bytes=8_000)
ORIGIN = "http://testserver"


@pytest.fixture
def refund() -> RecordingTool:
    return RecordingTool("refund", schema=REFUND_SCHEMA, title="Refund {order_id}", risk="high")


@pytest.fixture
def gateway(sqlite_database: Database, refund: RecordingTool) -> Gateway:
    return make_gateway(sqlite_database, refund, RecordingTool("look_up", approval="auto", risk="low"))


@pytest.fixture
def app(gateway: Gateway) -> FastAPI:
    return assemble(gateway, Site(ORIGIN), LIMITS)


@dataclass(frozen=True)
class Clients:
    """One client per way of proving who one is."""

    app: FastAPI
    gateway: Gateway

    def with_key(self, app: str = "shop", *scopes: Scope) -> TestClient:
        """An app's; all scopes unless some are named."""
        return self.bearing(accounts.create_key(self.gateway, app=app, scopes=scopes or tuple(Scope)))

    def with_token(self, role: Role = Role.REVIEWER, email: str | None = None) -> TestClient:
        person = make_person(self.gateway, role=role, email=email)
        return self.bearing(accounts.create_token(self.gateway, email=person.email))

    def with_cookie(self, role: Role = Role.REVIEWER) -> TestClient:
        """A signed-in browser's, which says of every request that it comes from our own pages."""
        person = make_person(self.gateway, role=role)
        secret = f"secret-of-{person.id}"
        with self.gateway.database.write() as session:
            now = self.gateway.database.now(session)
            hashed = hashlib.sha256(secret.encode()).hexdigest()
            session.add(
                SignIn(
                    secret_sha256=hashed, person_id=person.id, created_at=now, seen_at=now,
                    expires_at=now + timedelta(hours=1),
                )
            )  # fmt: skip
        headers = {"Sec-Fetch-Site": "same-origin"}
        return TestClient(self.app, headers=headers, cookies={"countersign": secret}, raise_server_exceptions=False)

    def bearing(self, credential: str) -> TestClient:
        headers = {"Authorization": f"Bearer {credential}"}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

    def anonymous(self) -> TestClient:
        return TestClient(self.app, raise_server_exceptions=False)


@pytest.fixture
def clients(app: FastAPI, gateway: Gateway) -> Clients:
    return Clients(app, gateway)


@pytest.fixture
def shop(clients: Clients) -> TestClient:
    return clients.with_key("shop")


@pytest.fixture
def reviewer(clients: Clients) -> TestClient:
    return clients.with_token()


@pytest.fixture
def in_background(app: FastAPI) -> Iterator[Callable[[Callable[[], Response]], "Future[Response]"]]:
    """Sends a request that waits from another thread, and goes on once it listens for what it waits for."""
    listeners = app.state.gateway.database.signals._listeners
    with ThreadPoolExecutor(max_workers=4) as pool:

        def send(request: Callable[[], Response]) -> "Future[Response]":
            before = sum(map(len, list(listeners.values())))
            future = pool.submit(request)
            wait_until(lambda: future.done() or sum(map(len, list(listeners.values()))) > before)
            return future

        yield send
        app.state.closing.begin()  # nobody waits for a wait or a stream that did not end
