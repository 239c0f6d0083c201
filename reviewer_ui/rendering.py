"""From a template to an answer: escaping, the policy that browsers hold the page to, and htmx's headers."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.domain.permission import may_decide
from gateway.errors import GatewayError
from gateway.web.headers import STATIC_PATH
from reviewer_ui import arguments, marking, moments, states
from reviewer_ui.assignment import initials
from reviewer_ui.preferences import read_preferences

STATIC_FOLDER = Path(__file__).parent / "static"


def page(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The template as a page of its own, under a policy that runs no script but ours.

    A nonce stands on every element that htmx may act for: what a model wrote
    could carry htmx attributes, but never this response's nonce.
    """
    nonce = secrets.token_urlsafe(16)
    person = getattr(request.state, "person", None)
    preferences = read_preferences(request)
    known = {
        "nonce": nonce,
        "person": person,
        "may_decide": person is not None and may_decide(person.role),
        "preferences": preferences,
    }
    with moments.shown_in(preferences.zone):
        html = _environment().get_template(template).render(context, **known)
    response = HTMLResponse(html, status, headers={"Content-Security-Policy": _policy(nonce)})
    if request.method not in {"GET", "HEAD"}:
        # The answer to a form stands for no address that could be opened again.
        response.headers["HX-Push-Url"] = "false"
    return response


def see_other(path: str) -> Response:
    """The browser goes on to this page with GET; htmx follows and shows its address."""
    return RedirectResponse(path, 303)


def refuse(request: Request, error: GatewayError, shown_on: Response) -> NoReturn:
    """The refusal is shown on this page instead of one of its own. Raises: it, for it becomes a status elsewhere."""
    request.state.refusal_page = shown_on
    raise error


def prepared_refusal(request: Request) -> Response | None:
    """The page that ``refuse`` was given during this request."""
    response: Response | None = getattr(request.state, "refusal_page", None)
    return response


@cache
def static_url(name: str) -> str:
    """The address of a file in ``static/``; another one when its content changes, so that browsers may keep it."""
    digest = hashlib.sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()
    return f"{STATIC_PATH}/{name}?v={digest[:12]}"


def _policy(nonce: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types htmx",
        ]
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reviewer_ui"),
        autoescape=True,
        auto_reload=False,  # a page of thirty rows would ask for the age of its files eighty times
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., object]] = {
        "pieces": marking.pieces,
        "plain": marking.plain,
        "json_tokens": arguments.json_tokens,
        "clock": moments.clock,
        "took": moments.took,
        "machine_time": moments.machine_time,
        "short_time": moments.short_time,
        "full_time": moments.full_time,
        "span": moments.span,
        "ago": moments.ago,
        "nth": moments.nth,
        "initials": initials,
        "until": moments.until,
        "reason": states.reason,
    }
    environment.filters.update(filters)
    environment.globals["static_url"] = static_url
    environment.globals["server_ms"] = lambda: moments.epoch_ms(datetime.now(UTC))
    _add_signs(environment)
    return environment


def _add_signs(environment: Environment) -> None:
    """All templates know the signs; those that say the same every time are made once, for lists are full of them."""
    signs = environment.get_template("_signs.html").module
    for name in ("icon", "chip", "risk"):
        environment.globals[name] = cache(getattr(signs, name))
    marks: Callable[[str], str] = getattr(signs, "marks")  # noqa: B009 (a macro, known to the template alone)
    # Plain text is escaped where it is put in.
    environment.globals["marked"] = lambda text: marks(text) if marking.has_marks(text) else text
