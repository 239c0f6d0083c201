"""Putting the web process together: the API, the pages and, if wanted, the worker."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import reviewer_ui.pages
from gateway.api import approvals, decisions, deliveries, docs, health, job_events, jobs, openapi, problems, tools
from gateway.api.cheqpoint import routes as cheqpoint
from gateway.api.cheqpoint.bodies import RequestBody
from gateway.api.cheqpoint.polls import Polls
from gateway.api.last_resort import LastResort
from gateway.api.ruling import AssignmentBody, DecisionBody, ExtensionBody, ResolutionBody, RevealBody
from gateway.api.submission import JobBody
from gateway.composition import open_gateway, start_worker
from gateway.engine.engine import check_engine
from gateway.settings import Settings
from gateway.store.listener import Listener
from gateway.store.schema import check_current
from gateway.tools.registry import ToolRegistry
from gateway.usecases.gateway import Gateway
from gateway.usecases.submitting import Submissions
from gateway.web.address import Site
from gateway.web.headers import SecurityHeaders
from gateway.web.state import BodyLimits, Closing, make_readers

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_ROUTERS = tuple(part.router for part in (jobs, job_events, approvals, decisions, deliveries, tools, cheqpoint, health))
#: Bodies that routes read as bytes, so that FastAPI does not know them.
_BODIES = (JobBody, DecisionBody, ExtensionBody, AssignmentBody, ResolutionBody, RevealBody, RequestBody)

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings, *, base_url: str, with_worker: bool, registry: ToolRegistry | None = None
) -> FastAPI:
    """The application of this process; nothing runs before its lifespan begins.

    ``base_url`` is the bound address, for links where no public one is set.
    Without ``registry`` the tools are those that the settings name.

    Whoever serves it calls ``app.state.closing.begin()`` when the process is
    asked to end: what waits or streams then ends at once, and the server need
    not cut it off. Raises: InvalidSetting, InvalidTool.
    """
    return assemble(
        open_gateway(settings, registry),
        Site(settings.public_url or base_url.rstrip("/"), settings.allow_http, settings.sign_in_max_s),
        BodyLimits(job_bytes=settings.max_job_bytes, decision_bytes=settings.max_decision_bytes),
        _lifespan(settings, with_worker=with_worker),
    )


def assemble(gateway: Gateway, site: Site, limits: BodyLimits, lifespan: Lifespan | None = None) -> FastAPI:
    """The API and the pages of this gateway."""
    app = FastAPI(
        title="Countersign",
        lifespan=lifespan,
        docs_url=None,  # made of scripts from elsewhere; ours is gateway.api.docs
        redoc_url=None,
        redirect_slashes=False,  # clients make a GET of a redirected POST, and its host is the caller's word
    )
    app.state.gateway = gateway
    app.state.submissions = Submissions(gateway)
    app.state.site = site
    app.state.body_limits = limits
    app.state.closing = Closing(gateway.database.signals)
    app.state.readers = make_readers()
    app.state.polls = Polls()
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.include_router(docs.router)
    reviewer_ui.pages.mount(app)
    openapi.install(app, _BODIES)
    # The last one added is the outermost: failures get their headers too.
    app.add_middleware(LastResort)
    app.add_middleware(SecurityHeaders)
    return app


def _lifespan(settings: Settings, *, with_worker: bool) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway: Gateway = app.state.gateway
        with ExitStack() as ending:
            ending.callback(gateway.database.dispose)
            ending.callback(gateway.tools.close)
            ending.callback(app.state.submissions.stop)
            ending.callback(app.state.readers.shutdown)
            # In a thread: these wait for the database.
            await run_in_threadpool(_start, gateway, settings, ending, with_worker=with_worker)
            _log.info("ready", extra={"event": "web.started", "with_worker": with_worker})
            yield
            app.state.closing.begin()
            await run_in_threadpool(ending.close)

    return lifespan


def _start(gateway: Gateway, settings: Settings, ending: ExitStack, *, with_worker: bool) -> None:
    """What runs beside the routes is running. Raises: SchemaOutdated; DatabaseUnavailable."""
    check_current(gateway.database)
    check_engine(gateway.database)
    listener = Listener(gateway.database)
    listener.start()
    ending.callback(listener.stop)
    if with_worker:
        start_worker(gateway, settings, ending)
