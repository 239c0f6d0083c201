"""Who is asking: from a key, a token or the cookie; a route's signature says who may call it."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from gateway.domain.permission import Actor, PersonActor, may_decide, may_read, may_submit
from gateway.errors import NotAllowed, Unauthenticated
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from gateway.web.same_origin import check_same_origin
from gateway.web.signed_in import find_signed_in
from gateway.web.state import gateway_of, site_of

MAX_CREDENTIAL_CHARS = 200  # ours have fewer than 70


def identify(request: Request) -> Actor:
    """The app or the person of this request, as the rows say now. Raises: Unauthenticated; CrossSite."""
    credential = sent_credential(request)
    if credential is not None:
        return authenticate(gateway_of(request), credential)
    check_same_origin(request, site_of(request))
    person = find_signed_in(request)
    if person is None:
        raise Unauthenticated
    return person


def sent_credential(request: Request) -> str | None:
    """The key or token in the headers; None without one.

    Raises: Unauthenticated for a malformed one, or two different ones: it must be clear who asks.
    """
    sent = {_bearer(value) for value in request.headers.getlist("authorization")}
    sent.update(request.headers.getlist("x-api-key"))
    if not sent:
        return None
    if len(sent) > 1:
        raise Unauthenticated("Two different credentials were sent: send one.")
    credential = sent.pop()
    if not credential or len(credential) > MAX_CREDENTIAL_CHARS:
        raise Unauthenticated
    return credential


def identify_reader(request: Request) -> Actor:
    """Who is asking, and may read. Raises: Unauthenticated; NotAllowed; CrossSite."""
    actor = identify(request)
    if not may_read(actor):
        raise NotAllowed("This key lacks the scope read.")
    return actor


async def _reader(request: Request) -> Actor:
    return await _asked(request, identify_reader)


async def _submitter(request: Request) -> Actor:
    actor = await _asked(request, identify)
    if not may_submit(actor):
        raise NotAllowed("Submitting takes a key with the scope submit, or the token of a reviewer or an admin.")
    return actor


async def _decider(request: Request) -> PersonActor:
    actor = await _asked(request, identify)
    if not isinstance(actor, PersonActor) or not may_decide(actor.role):
        raise NotAllowed("Only a reviewer or an admin may decide; an app's key never can.")
    return actor


async def _asked(request: Request, who: Callable[[Request], Actor]) -> Actor:
    if gateway_of(request).database.is_sqlite and sent_credential(request) is not None:
        # One row by its key, out of this process's own file: handing that to a thread takes longer.
        return who(request)
    return await run_in_threadpool(who, request)


#: Whoever may read: people, and keys with the scope ``read``.
Reader = Annotated[Actor, Depends(_reader)]
#: Whoever may submit and cancel jobs: keys with the scope ``submit``, reviewers and admins.
Submitter = Annotated[Actor, Depends(_submitter)]
#: Reviewers and admins.
Decider = Annotated[PersonActor, Depends(_decider)]


def _bearer(value: str) -> str:
    scheme, _, credential = value.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("Authorization takes the scheme Bearer.")
    return credential.strip()


def authenticate(gateway: Gateway, credential: str) -> Actor:
    """Who holds this key or token. Raises: Unauthenticated."""
    if len(credential) > MAX_CREDENTIAL_CHARS:
        raise Unauthenticated
    with gateway.database.glance() as session:
        return accounts.authenticate(session, credential)
