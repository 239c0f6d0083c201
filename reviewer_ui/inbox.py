"""The inbox: what waits for a person, the most urgent first, and above it what is in doubt."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.permission import PersonActor
from gateway.domain.storable import storable
from gateway.store import approvals, decisions
from gateway.store.session import Session
from gateway.store.tables import Approval
from gateway.usecases.progress import is_held
from gateway.web.state import gateway_of
from reviewer_ui.access import AnyPerson, Person, own_path, sign_in_page
from reviewer_ui.addresses import FromAddress
from reviewer_ui.inbox_list import read_list
from reviewer_ui.inbox_search import Search, read_search
from reviewer_ui.rendering import page, see_other
from reviewer_ui.states import State, approval_state

SEARCH_FORM = "form#search"  #: how htmx names it, https://four.htmx.org/reference/#headers

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class JustDecided:
    """What a toast tells of the call that was decided a moment ago."""

    approval: Approval
    state: State
    is_held: bool


async def search_of(request: Request, q: FromAddress = "") -> Search:
    """The search that the address holds; for a form that was sent, the one that stands in the browser by now.

    The search changes without the page, so that what is open beside it stays: its forms hold an older one.
    """
    shown = request.headers.get("HX-Current-URL") if request.method == "POST" else None
    return read_search(_search_in(shown) if shown else q)


def _search_in(address: str) -> str:
    # Anybody can write anything in a header.
    try:
        query = urlsplit(address).query
    except ValueError:
        return ""
    return storable(dict(parse_qsl(query)).get("q", ""))


SearchQuery = Annotated[Search, Depends(search_of)]


@router.get("/")
def show(
    request: Request,
    person: AnyPerson,
    search: SearchQuery,
    wanted: Annotated[str, Query(alias="next")] = "/",
    cursor: FromAddress | None = None,
    decided: FromAddress | None = None,
    undone: FromAddress = "",
) -> Response:
    """What waits; or, for nobody in particular, the form to sign in.

    ``decided`` is the call just decided; ``undone`` stands for a form whose sender was not signed in any more.
    """
    if person is None:
        return sign_in_page(request, wanted=wanted, was_refused=bool(undone))
    if own_path(wanted) != "/":
        return see_other(own_path(wanted))  # signed in meanwhile, in another tab
    return inbox_page(request, person, search, cursor=cursor or None, decided=decided)


@router.get("/inbox/rows")
def show_rows(
    request: Request,
    person: Person,
    search: SearchQuery,
    cursor: FromAddress | None = None,
    open_id: Annotated[FromAddress, Query(alias="open")] = "",
) -> Response:
    """The list alone, for a page that has it already; ``open`` is the call that is reviewed beside it."""
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        listed = read_list(session, person, now, search, cursor or None)
    response = page(request, "_rows.html", listed=listed, open_id=open_id, now=now)
    if request.headers.get("HX-Source") == SEARCH_FORM:
        # So that a reload, or the way back, finds what was looked for.
        response.headers["HX-Replace-Url"] = search.address(f"/approvals/{open_id}" if open_id else "/")
    return response


def inbox_page(
    request: Request,
    person: PersonActor,
    search: Search,
    *,
    cursor: str | None = None,
    decided: str | None = None,
) -> Response:
    """The page without an open call. Raises: InvalidRequest for a cursor that is not ours."""
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        listed = read_list(session, person, now, search, cursor)
        just_decided = read_just_decided(session, decided, now)
        head = decisions.head(session) if listed.is_empty else None
    return page(
        request,
        "inbox.html",
        listed=listed,
        just_decided=just_decided,
        last_decided_at=head.at if head else None,
        now=now,
    )


def read_just_decided(session: Session, approval_id: str | None, now: datetime) -> JustDecided | None:
    approval = approvals.find(session, approval_id) if approval_id else None
    return JustDecided(approval, approval_state(approval, now), is_held(approval, now)) if approval else None
