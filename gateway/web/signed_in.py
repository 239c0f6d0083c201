"""Who is signed in with the browser that sent a request."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from gateway.domain.permission import PersonActor
from gateway.usecases import accounts
from gateway.web.state import gateway_of, site_of

MAX_COOKIE_CHARS = 200  # ours have 43


async def signed_in_person(request: Request) -> PersonActor | None:
    """The person whose cookie this is; None without one, or when it is over."""
    return await run_in_threadpool(find_signed_in, request)


def find_signed_in(request: Request) -> PersonActor | None:
    """The same, in the caller's thread."""
    secret = request.cookies.get(site_of(request).cookie_name)
    if not secret or len(secret) > MAX_COOKIE_CHARS:
        return None
    return accounts.signed_in(gateway_of(request), secret)
