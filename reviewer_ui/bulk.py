"""Deciding several calls of the list with one click, and taking that back."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.approval import Approve, Choice, Reject, Verdict
from gateway.domain.permission import PersonActor
from gateway.errors import InvalidRequest
from gateway.usecases import bulk
from gateway.usecases.bulk import Outcome, Pick
from gateway.web.state import gateway_of
from reviewer_ui.access import Decider, Person
from reviewer_ui.forms import CHANNEL
from reviewer_ui.inbox import SearchQuery
from reviewer_ui.inbox_list import read_list
from reviewer_ui.inbox_search import Search
from reviewer_ui.posting import PostedForm
from reviewer_ui.rendering import page, see_other

PICK = "pick:"  # a checkbox's name begins so, and ends with the call's id; its value is the hash that was shown

router = APIRouter(include_in_schema=False)


@router.post("/inbox/decisions")
def decide(request: Request, person: Decider, form: PostedForm, search: SearchQuery) -> Response:
    """The chosen calls are decided but for those that must be looked at one by one; the inbox says which."""
    choice = _choice(form)
    note = form.get("note", "").strip() or None
    outcome = bulk.decide_many(gateway_of(request), person, _picks(form), choice, note=note, channel=CHANNEL)
    return _report(request, person, search, outcome, "Approved" if isinstance(choice, Approve) else "Rejected")


@router.post("/inbox/undo")
def undo(request: Request, person: Decider, form: PostedForm, search: SearchQuery) -> Response:
    """What was approved together is pending again, but for what was released already; the inbox says which."""
    ids = [pick.approval_id for pick in _picks(form)]
    outcome = bulk.undo_many(gateway_of(request), person, ids, channel=CHANNEL)
    return _report(request, person, search, outcome, "Taken back")


@router.get("/inbox/decisions")
@router.get("/inbox/undo")
def show_again(_person: Person, search: SearchQuery) -> Response:
    """A form's address, opened as a page: its answer was shown there."""
    return see_other(search.address("/"))


def _report(request: Request, person: PersonActor, search: Search, outcome: Outcome, word: str) -> Response:
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        listed = read_list(session, person, now, search)
    return page(
        request,
        "inbox.html",
        listed=listed,
        just_decided=None,
        last_decided_at=None,
        outcome=outcome,
        outcome_word=word,
        undoable=[row for row in outcome.done if row.release_at is not None and row.release_at > now],
        now=now,
    )


def _choice(form: Mapping[str, str]) -> Choice:
    match form.get("verdict"):
        case Verdict.APPROVE:
            return Approve()
        case Verdict.REJECT:
            return Reject()
        case _:
            raise InvalidRequest("Press one of the deciding buttons.")


def _picks(form: Mapping[str, str]) -> list[Pick]:
    picks = [Pick(name.removeprefix(PICK), value) for name, value in form.items() if name.startswith(PICK)]
    if not picks:
        raise InvalidRequest("No call was chosen: tick the box of each one first.")
    return picks
