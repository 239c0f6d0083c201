"""Who is asking: from a key, a token or the cookie; a route's signature says who may call it."""

from typing import Annotated

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from gateway.domain.permission import Actor, PersonActor, may_decide, may_read, may_submit
from gateway.errors import NotAllowed, Unauthenticated
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from gateway.web.same_origin import check_same_origin
from gateway.web.signed_in import signed_in_person
from gateway.web.state import gateway_of, site_of

MAX_CREDENTIAL_CHARS = 200  # ours have fewer than 70


async def identify(request: Request) -> Actor:
    """The app or the person of this request. Raises: Unauthenticated; CrossSite."""
    credential = sent_credential(request)
    if credential is not None:
        gateway = gateway_of(request)
        if gateway.database.is_sqlite:
            # One row by its key out of this process's own file: handing that to a thread takes longer.
            return _authenticate(gateway, credential)
        return await run_in_threadpool(_authenticate, gateway, credential)
    check_same_origin(request, site_of(request))
    person = await signed_in_person(request)
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


async def reader(request: Request) -> Actor:
    """Who is asking, and may read. Raises: Unauthenticated; NotAllowed; CrossSite."""
    actor = await identify(request)
    if not may_read(actor):
        raise NotAllowed("This key lacks the scope read.")
    return actor


async def _submitter(request: Request) -> Actor:
    actor = await identify(request)
    if not may_submit(actor):
        raise NotAllowed("Submitting takes a key with the scope submit, or the token of a reviewer or an admin.")
    return actor


async def _decider(request: Request) -> PersonActor:
    actor = await identify(request)
    if not isinstance(actor, PersonActor) or not may_decide(actor.role):
        raise NotAllowed("Only a reviewer or an admin may decide; an app's key never can.")
    return actor


#: Whoever may read: people, and keys with the scope ``read``.
Reader = Annotated[Actor, Depends(reader)]
#: Whoever may submit and cancel jobs: keys with the scope ``submit``, reviewers and admins.
Submitter = Annotated[Actor, Depends(_submitter)]
#: Reviewers and admins.
Decider = Annotated[PersonActor, Depends(_decider)]


def _bearer(value: str) -> str:
    scheme, _, credential = value.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("Authorization takes the scheme Bearer.")
    return credential.strip()


def _authenticate(gateway: Gateway, credential: str) -> Actor:
    with gateway.database.glance() as session:
        return accounts.authenticate(session, credential)
