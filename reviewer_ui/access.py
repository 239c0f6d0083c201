"""Who is looking: signing in and out, and what a route asks of the person before it does anything."""

import threading
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.permission import PersonActor, may_decide
from gateway.domain.storable import storable
from gateway.errors import BadSignIn, NotAllowed, TooManySignIns, Unauthenticated
from gateway.usecases import accounts
from gateway.web.signed_in import signed_in_person
from gateway.web.state import gateway_of, site_of
from reviewer_ui.posting import PostedForm
from reviewer_ui.rendering import page, refuse, see_other

#: Tries per minute. An address may stand for an office, an account for one person.
TRIES_PER_ACCOUNT = RateLimitItemPerMinute(10)
TRIES_PER_ADDRESS = RateLimitItemPerMinute(60)
SIGN_IN = "/sign-in"

router = APIRouter(include_in_schema=False)


async def person_if_any(request: Request) -> PersonActor | None:
    """The person who is signed in; None for nobody."""
    person = await signed_in_person(request)
    request.state.person = person
    return person


async def signed_in(request: Request) -> PersonActor:
    """The person who is signed in. Raises: Unauthenticated."""
    person = await person_if_any(request)
    if person is None:
        raise Unauthenticated("Sign in to see this page.")
    return person


async def deciding(request: Request) -> PersonActor:
    """A person who may change something. Raises: Unauthenticated; NotAllowed for an auditor."""
    person = await signed_in(request)
    if not may_decide(person.role):
        raise NotAllowed("An auditor reads everything and changes nothing. Only a reviewer or an admin may do this.")
    return person


AnyPerson = Annotated[PersonActor | None, Depends(person_if_any)]
Person = Annotated[PersonActor, Depends(signed_in)]
Decider = Annotated[PersonActor, Depends(deciding)]


class SignInTries:
    """How often signing in was tried of late, in this process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()

    def count(self, account: str, address: str) -> None:
        """Counts one try. Raises: TooManySignIns."""
        with self._lock:
            is_free = self._limiter.hit(TRIES_PER_ADDRESS, "address", address) and self._limiter.hit(
                TRIES_PER_ACCOUNT, "account", account
            )
        if not is_free:
            raise TooManySignIns


def sign_in_page(request: Request, *, wanted: str, was_refused: bool = False) -> Response:
    """The form to sign in with; ``wanted`` is the page that follows.

    ``was_refused``: something was to be done by somebody who was not signed in any more.
    """
    error = "You were signed out meanwhile, and nothing was done: sign in, then do it again." if was_refused else None
    return sign_in_form(request, SIGN_IN, {"next": own_path(wanted)}, error=error)


def sign_in_form(
    request: Request, action: str, kept: Mapping[str, str], *, email: str = "", error: str | None = None
) -> Response:
    """The form to sign in with, posted to ``action`` with the ``kept`` fields in it."""
    refusal = site_of(request).refusal_of_sign_in(request.url.hostname)
    return page(request, "sign_in.html", action=action, kept=kept, email=email, error=error, refusal=refusal)


@router.post(SIGN_IN)
def sign_in(request: Request, form: PostedForm) -> Response:
    """The browser is signed in and goes on to the page that was wanted. Raises: as ``sign_in_secret``."""
    wanted = own_path(form.get("next", "/"))
    return with_cookie(request, see_other(wanted), sign_in_secret(request, form, SIGN_IN, {"next": wanted}))


def sign_in_secret(request: Request, form: Mapping[str, str], action: str, kept: Mapping[str, str]) -> str:
    """The secret of a browser that is signed in with the posted e-mail and password.

    Raises: NotAllowed over plain http from elsewhere; BadSignIn; TooManySignIns; all shown on the same form again.
    """
    email = storable(form.get("email", ""))
    if refusal := site_of(request).refusal_of_sign_in(request.url.hostname):
        refuse(request, NotAllowed(refusal), sign_in_form(request, action, kept))
    tries: SignInTries = request.app.state.sign_in_tries
    try:
        tries.count(email.strip().lower()[:254], request.client.host if request.client else "")
        return accounts.sign_in(gateway_of(request), email=email, password=form.get("password", ""))
    except (BadSignIn, TooManySignIns) as error:
        refuse(request, error, sign_in_form(request, action, kept, email=email, error=error.message))


def with_cookie(request: Request, response: Response, secret: str) -> Response:
    """The response, after which the browser is the one with this secret."""
    site = site_of(request)
    response.set_cookie(site.cookie_name, secret, **site.cookie_parameters())
    return response


@router.post("/sign-out")
def sign_out(request: Request, _form: PostedForm) -> Response:
    """The browser is signed out, here and in the database."""
    site = site_of(request)
    if secret := request.cookies.get(site.cookie_name):
        accounts.sign_out(gateway_of(request), secret)
    response = see_other("/")
    attributes = {name: value for name, value in site.cookie_parameters().items() if name != "max_age"}
    response.delete_cookie(site.cookie_name, **attributes)
    return response


def sign_in_address(request: Request) -> str:
    """Where a person who is not signed in goes, so that they come back to what they wanted."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method not in {"GET", "HEAD"}:
        # A form's address cannot be opened: the page it was on can.
        referer = urlsplit(request.headers.get("referer", ""))
        wanted = referer.path if referer.netloc == request.headers.get("host") else "/"
    undone = "" if request.method in {"GET", "HEAD"} else "&undone=1"
    return f"/?next={quote(own_path(wanted), safe='')}{undone}"


def own_path(wanted: str) -> str:
    """The path if it leads to a page of ours, else the inbox: a link must not send people elsewhere."""
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    is_plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted
    return wanted if is_path and is_plain and not wanted.startswith(("/api/", "/v1/", "/sign-")) else "/"
