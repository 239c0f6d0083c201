"""What the application keeps for its routes, with types: Starlette's ``app.state`` has none."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.store.signals import Signals
from gateway.usecases.gateway import Gateway
from gateway.usecases.submitting import Submissions
from gateway.web.address import Site

READERS = 4

#: Answers a refusal with a page: given the request, the refusal and its HTTP status.
ErrorPage = Callable[[Request, GatewayError, int], Response]


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large the bodies are that routes take; in bytes."""

    job_bytes: int = 16 * 1024 * 1024
    decision_bytes: int = 512 * 1024


class Closing:
    """Whether the process is about to end: what waits or streams then ends at once."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._begun = threading.Event()

    @property
    def has_begun(self) -> bool:
        return self._begun.is_set()

    def begin(self) -> None:
        """Everybody who waits has been woken, and will not wait again."""
        self._begun.set()
        self._signals.publish_all()


def make_readers() -> ThreadPoolExecutor:
    """The few threads that read rows for those who wait.

    A lost connection to the database wakes everybody at once. Their thousand
    readings then stand in a row of their own, and not before other requests.
    """
    return ThreadPoolExecutor(READERS, thread_name_prefix="readers")


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def submissions_of(request: Request) -> Submissions:
    submissions: Submissions = request.app.state.submissions
    return submissions


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def closing_of(request: Request) -> Closing:
    closing: Closing = request.app.state.closing
    return closing


def readers_of(request: Request) -> ThreadPoolExecutor:
    readers: ThreadPoolExecutor = request.app.state.readers
    return readers


def body_limits_of(request: Request) -> BodyLimits:
    limits: BodyLimits = request.app.state.body_limits
    return limits


def error_page_of(request: Request) -> ErrorPage | None:
    """The pages' way of saying no; None when this process has no pages."""
    page: ErrorPage | None = getattr(request.app.state, "error_page", None)
    return page
