"""The real application on SQLite, and people who are signed in to it."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from gateway.app import assemble
from gateway.domain.permission import PersonActor, Role
from gateway.store.session import Database
from gateway.usecases.gateway import Gateway
from gateway.web.address import Site
from gateway.web.state import BodyLimits
from tests.factories import make_gateway, make_person, sign_in
from tests.fakes import RecordingTool
from tests.ui.html_forms import Page, as_sent

ORIGIN = "http://localhost"

REFUND = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "number", "maximum": 500}},
    "required": ["order_id", "amount"],
}


class Browser:
    """A browser without JavaScript: it opens pages and presses buttons."""

    def __init__(self, application: FastAPI) -> None:
        self.client = TestClient(application, base_url=ORIGIN, follow_redirects=False)
        self.person: PersonActor | None = None

    def get(self, path: str, **options):
        return self.client.get(path, **options)

    def open(self, path: str, status: int = 200) -> Page:
        response = self.get(path)
        assert response.status_code == status, response.text
        return Page(response.text)

    def post(self, path: str, fields: dict[str, str], **headers: str):
        return self.client.post(path, data=fields, headers={"sec-fetch-site": "same-origin", **headers})

    def press(self, page: Page, action: str, button: tuple[str, str] | None = None, **typed: str):
        """The answer to this form of the page, filled in like this and sent with this button."""
        form = page.form(action)
        assert form.method == "post"
        assert button is None or button in form.buttons
        assert typed.keys() <= form.fields.keys()
        return self.post(action, as_sent(form.fields | typed | dict([button] if button else [])))


@pytest.fixture
def refund() -> RecordingTool:
    return RecordingTool("refund", schema=REFUND, title="Refund {amount} for {order_id}", risk="high")


@pytest.fixture
def write() -> RecordingTool:
    return RecordingTool("write", risk="low")


@pytest.fixture
def gateway(sqlite_database: Database, refund: RecordingTool, write: RecordingTool) -> Gateway:
    return make_gateway(sqlite_database, refund, write, undo_hold_s=30)


@pytest.fixture
def application(gateway: Gateway) -> FastAPI:
    return assemble(gateway, Site(ORIGIN), BodyLimits())


@pytest.fixture
def stranger(application: FastAPI) -> Iterator[Browser]:
    """Nobody is signed in."""
    browser = Browser(application)
    yield browser
    browser.client.close()


@pytest.fixture
def open_browser(gateway: Gateway, application: FastAPI) -> Iterator[Callable[..., Browser]]:
    """Opens a browser in which somebody of this role is signed in."""
    opened = []

    def browser(role: Role = Role.REVIEWER, email: str | None = None) -> Browser:
        made = Browser(application)
        opened.append(made)
        made.person = make_person(gateway, role=role, email=email)
        made.client.cookies.set("countersign", sign_in(gateway, made.person))
        return made

    yield browser
    for one in opened:
        one.client.close()


@pytest.fixture
def reviewer(open_browser: Callable[..., Browser]) -> Browser:
    return open_browser()


@pytest.fixture
def auditor(open_browser: Callable[..., Browser]) -> Browser:
    return open_browser(Role.AUDITOR)
