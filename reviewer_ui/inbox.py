"""The inbox: what waits for a person, the oldest first, and above it what is in doubt."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.approval import ApprovalStatus
from gateway.domain.json_text import Limits
from gateway.store import approvals
from gateway.store.session import Session
from gateway.store.tables import Approval
from gateway.usecases.progress import is_held
from gateway.web.state import gateway_of
from reviewer_ui import states
from reviewer_ui.access import AnyPerson, own_path, sign_in_page
from reviewer_ui.addresses import FromAddress
from reviewer_ui.arguments import arguments_of
from reviewer_ui.marking import hidden_characters
from reviewer_ui.rendering import page, see_other

ROWS = 50
COUNTED = 1000  # a badge needs no exact number beyond it

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One call in the list."""

    approval: Approval
    state: states.State
    is_held: bool
    findings: int  #: what the review page warns of


@router.get("/")
def show(
    request: Request,
    person: AnyPerson,
    wanted: Annotated[str, Query(alias="next")] = "/",
    cursor: FromAddress | None = None,
    decided: FromAddress | None = None,
) -> Response:
    """What waits; or, for nobody in particular, the form to sign in. ``decided`` is the call just decided."""
    if person is None:
        return sign_in_page(request, wanted=wanted)
    if own_path(wanted) != "/":
        return see_other(own_path(wanted))  # signed in meanwhile, in another tab
    gateway = gateway_of(request)
    limits = gateway.policy.limits
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        waiting = approvals.page(
            session, statuses=[ApprovalStatus.PENDING], held_since=now, cursor=cursor or None, limit=ROWS
        )
        in_doubt = approvals.in_doubt(session, ROWS) if not cursor else ()
        count = approvals.count_pending(session, COUNTED)
        just_decided = _row(found, now, limits) if (found := _find(session, decided)) else None
    return page(
        request,
        "inbox.html",
        rows=[_row(approval, now, limits) for approval in waiting.items],
        in_doubt=[_row(approval, now, limits) for approval in in_doubt],
        just_decided=just_decided,
        count=count,
        is_counted_out=count >= COUNTED,
        next_cursor=waiting.next_cursor,
        cursor=cursor,
        now=now,
    )


def _find(session: Session, approval_id: str | None) -> Approval | None:
    return approvals.find(session, approval_id) if approval_id else None


def _row(approval: Approval, now: datetime, limits: Limits) -> Row:
    return Row(
        approval=approval,
        state=states.approval_state(approval, now),
        is_held=is_held(approval, now),
        findings=len(json.loads(approval.warnings)) + _has_hidden_characters(approval, limits),
    )


def _has_hidden_characters(approval: Approval, limits: Limits) -> bool:
    details = approval.details or approval.raw_details or ""
    if details.isascii() and "\\u" not in details:
        return False  # the usual call: nothing to read closely
    texts = [text for argument in arguments_of(details, limits) for text in (argument.name, argument.text)]
    return bool(hidden_characters(approval.title, *texts))
