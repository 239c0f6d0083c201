"""Putting the pages into the application."""

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway.web.headers import STATIC_PATH
from reviewer_ui import (
    access,
    bulk,
    decisions,
    edits,
    errors,
    history,
    inbox,
    jobs,
    live,
    resuming,
    review_page,
    settings,
    tools,
)
from reviewer_ui.rendering import STATIC_FOLDER


def mount(app: FastAPI) -> None:
    """The app answers people: pages, their files, and refusals as pages.

    It needs ``gateway`` and ``site`` in ``app.state``.
    """
    app.state.error_page = errors.page_for
    app.state.sign_in_tries = access.SignInTries()
    for module in (access, inbox, live, bulk, review_page, edits, decisions, resuming, history, jobs, tools, settings):
        app.include_router(module.router)
    # The files alone are compressed: pages hold what others wrote beside what is nobody else's business (BREACH).
    app.mount(STATIC_PATH, GZipMiddleware(_Files(directory=STATIC_FOLDER)), name="static")


class _Files(StaticFiles):
    """Our files. An address with their hash never means anything else: browsers need not ask again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_versioned else "no-cache"
        return response
