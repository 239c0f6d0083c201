"""Those who wait cost nothing meanwhile, are not lost with a connection, and do not stand in others' way."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import event
from sqlmodel import col, update
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from gateway.api.waiting import Reading, wait_until_done
from gateway.app import create_app
from gateway.domain.permission import Scope
from gateway.settings import read_settings
from gateway.store.accounts import CREDENTIALS_TOPIC
from gateway.store.session import Database, announce
from gateway.store.signals import Signals
from gateway.store.tables import Approval, Key
from gateway.tools.registry import ToolRegistry
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from gateway.web.state import READERS, Closing
from tests.databases import CUT_LISTENERS
from tests.factories import ask, call, decide, make_app, make_gateway, make_person, submit
from tests.fakes import RecordingTool

THREADS = 40  # what the web framework has for all requests


@dataclass
class HastySignals(Signals):
    """Nothing is ever signalled, and time flies: each wait is over at once, and the process ends with the fifth."""

    closing: Closing
    uses: list[object]
    waited_s: list[float] = field(default_factory=list)
    used_before: list[int] = field(default_factory=list)  #: each wait

    def __post_init__(self) -> None:
        super().__init__()

    @contextmanager
    def waiting(self, *topics: str) -> "Iterator[HastySignals]":  # type: ignore[override]
        yield self

    async def wait(self, timeout_s: float) -> bool:
        self.waited_s.append(timeout_s)
        self.used_before.append(len(self.uses))
        if len(self.waited_s) == 5:
            self.closing.begin()
        return self.closing.has_begun


@pytest.fixture
def hasty(gateway: Gateway, app: FastAPI) -> HastySignals:
    signals = HastySignals(app.state.closing, uses_of(gateway))
    gateway.database.signals = signals
    return signals


def uses_of(gateway: Gateway) -> list[object]:
    """Every time from now on that the gateway takes a connection to its database: no statement goes another way."""
    uses: list[object] = []
    database = gateway.database
    for pool in {database.engine.pool, database.read_engine.pool}:
        event.listen(pool, "checkout", lambda *given: uses.append(given[1]))
    return uses


def test_keep_alive_of_a_stream_asks_the_database_nothing(shop, gateway, hasty):
    job_id = submit(gateway, make_app("shop")).job.id
    stream = shop.get(f"/api/v1/jobs/{job_id}/events")
    assert stream.text.count(": ping") == 4
    assert hasty.uses  # when it was opened
    assert hasty.used_before == [len(hasty.uses)] * 5


def test_held_request_waits_for_all_of_its_time_at_once(shop, gateway, hasty):
    job_id = submit(gateway, make_app("shop")).job.id
    assert shop.get(f"/api/v1/jobs/{job_id}?wait=60").status_code == 200
    assert min(hasty.waited_s) > 55


def test_stream_ends_when_the_end_of_credentials_is_announced(clients, gateway, in_background):
    client = clients.with_key("shop", Scope.READ)
    job_id = submit(gateway, make_app("shop")).job.id
    waiting = in_background(lambda: client.get(f"/api/v1/jobs/{job_id}/events"))
    with gateway.database.write() as session:
        announce(session, CREDENTIALS_TOPIC)
    time.sleep(0.2)
    assert not waiting.done()  # theirs still holds
    with gateway.database.write() as session:
        session.exec(update(Key).where(col(Key.app) == "shop").values(disabled_at=gateway.database.now(session)))
        announce(session, CREDENTIALS_TOPIC)
    assert "event: job.submitted" in waiting.result(timeout=5).text


def test_many_readings_at_once_do_not_hold_up_other_requests(app):
    may_go_on = threading.Event()
    request = Request({"type": "http", "app": app})

    def read() -> Reading[bool]:
        return Reading(may_go_on.wait(20), is_done=True)

    async def wait_together() -> list[Reading[bool]]:
        waits = [asyncio.create_task(wait_until_done(request, "job:1", read, 60)) for _ in range(THREADS + READERS)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await run_in_threadpool(may_go_on.set)
        return await asyncio.gather(*waits)

    readings = asyncio.run(wait_together())
    assert [reading.value for reading in readings] == [True] * (THREADS + READERS)


class TestOnPostgres:
    """A web process that hears of others by one connection."""

    @pytest.fixture
    def elsewhere(self, postgres_url: str) -> Iterator[Gateway]:
        """Another process."""
        gateway = make_gateway(Database(postgres_url), RecordingTool("refund"))
        yield gateway
        gateway.database.dispose()

    @pytest.fixture
    def served(self, postgres_url: str) -> Iterator[tuple[FastAPI, str]]:
        settings = read_settings(_env_file=None, database_url=postgres_url)
        app = create_app(settings, base_url="http://127.0.0.1", with_worker=False, registry=ToolRegistry())
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield app, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        app.state.closing.begin()
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()

    @pytest.fixture
    def waits(self, served, elsewhere) -> "Iterator[tuple[FastAPI, Approval, list[Future[str]]]]":
        """More waits than there are threads and connections, and last a stream: all for this one approval."""
        app, url = served
        key = accounts.create_key(elsewhere, app="shop", scopes=tuple(Scope))
        [approval] = ask(elsewhere, call("refund", "{}"), actor=make_app("shop"))
        paths = [f"/api/v1/approvals/{approval.id}?wait=30"] * (THREADS + 10)
        paths.append(f"/api/v1/jobs/{approval.job_id}/events")
        limits = httpx2.Limits(max_connections=100)
        with (
            httpx2.Client(base_url=url, headers={"X-API-Key": key}, timeout=60, trust_env=False, limits=limits) as http,
            ThreadPoolExecutor(len(paths)) as pool,
        ):
            yield app, approval, list(map(pool.submit, repeat(lambda path: http.get(path).text), paths))
            # Else a stream would be waited for.
            app.state.closing.begin()

    def test_waiting_holds_neither_a_thread_nor_a_connection(self, waits, elsewhere):
        app, approval, held = waits
        pool = app.state.gateway.database.engine.pool
        uses = uses_of(app.state.gateway)
        wait_until_quiet(uses)
        uses.clear()
        time.sleep(1.0)
        assert (uses, pool.checkedout(), [one.done() for one in held]) == ([], 0, [False] * len(held))
        decide(elsewhere, make_person(elsewhere), approval)
        assert all('"approved"' in one.result(timeout=10) for one in held[:-1])

    def test_cut_connection_loses_nobody(self, waits, elsewhere):
        app, approval, held = waits
        reviewer = make_person(elsewhere)
        wait_until_quiet(uses_of(app.state.gateway))
        with elsewhere.database.write() as session:
            assert session.connection().execute(CUT_LISTENERS).scalars().all() == [True]
        # Nobody listens now.
        decide(elsewhere, reviewer, approval)
        assert all('"approved"' in one.result(timeout=10) for one in held[:-1])
        app.state.closing.begin()
        assert "event: approval.decided" in held[-1].result(timeout=10)


def wait_until_quiet(uses: list[object]) -> None:
    """All waits have been taken: the database is not used any more."""
    before = -1
    while before < len(uses) or not uses:
        before = len(uses)
        time.sleep(0.5)
