"""One Chromium for all tests, a server and windows for each. Run by itself: ``make browser``.

Playwright's synchronous interface and tests with an event loop of their own
break each other in one process, so these are a pytest command of their own.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from gateway.domain.permission import Role
from gateway.store.session import Database
from tests.browser.desk import Desk, serving, watched
from tests.factories import make_person
from tests.served import Served

WAIT_MS = 15_000  # for what happens within a second on a machine that has nothing else to do
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VARIABLE = "COUNTERSIGN_TEST_BROWSER"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
OPTIONS: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", "locale": "en-GB"}


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"No Chromium was found: install one (Debian: apt install chromium), or name it in {VARIABLE}."
    launched = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
    yield launched
    launched.close()


@pytest.fixture
def served(sqlite_database: Database) -> Iterator[Served]:
    with serving(sqlite_database) as one:
        yield one


@pytest.fixture
def open_desk(served: Served, browser: Browser) -> Iterator[Callable[..., Desk]]:
    """Opens windows; at the end none of them has complained of anything."""
    opened: list[tuple[BrowserContext, Desk]] = []

    def open_one(role: Role = Role.REVIEWER, email: str | None = None, **options: Any) -> Desk:
        context = browser.new_context(**{**OPTIONS, **options})
        context.set_default_timeout(WAIT_MS)
        made = watched(served, context, make_person(served.gateway, role=role, email=email))
        opened.append((context, made))
        return made

    yield open_one
    for context, _ in opened:
        context.close()
    for _, made in opened:
        made.check()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """A reviewer's window."""
    return open_desk(email="rita@example.com")
