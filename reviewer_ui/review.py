"""The review page: one call, whole, with what a person should know before deciding."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus
from gateway.domain.execution import ExecutionStatus
from gateway.domain.permission import PersonActor, is_own_request, may_decide
from gateway.errors import GatewayError, NotFound, StaleDetails, ToolChanged
from gateway.store import approvals, decisions, executions, jobs
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision, Execution, Job
from gateway.usecases.gateway import Gateway
from gateway.usecases.progress import is_held
from gateway.web.state import gateway_of
from reviewer_ui import states
from reviewer_ui.access import Person
from reviewer_ui.addresses import FromAddress
from reviewer_ui.arguments import Argument, Edit, Texts, arguments_of, edits_of, texts_of
from reviewer_ui.assignment import Assignment, read_assignment
from reviewer_ui.difference import Line, difference
from reviewer_ui.editing import editor
from reviewer_ui.editing.carrying import Carried, carry
from reviewer_ui.findings import Shown, shown_findings
from reviewer_ui.forms import REASONS, Typed, place_of
from reviewer_ui.inbox import SearchQuery, read_just_decided
from reviewer_ui.inbox_list import read_list
from reviewer_ui.inbox_search import Search
from reviewer_ui.rendering import page, see_other
from reviewer_ui.reveals import Reveal, Secret, read_reveals, secrets_of
from reviewer_ui.surroundings import JobCalls, Precedent, read_job_calls, read_precedents

EXTENSIONS = {"one more hour": timedelta(hours=1), "one more day": timedelta(days=1)}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that the page shows of one approval, read in one snapshot."""

    approval: Approval
    job: Job | None
    now: datetime
    state: states.State
    is_held: bool
    why_held: str
    why_not: str | None  #: the reason why this person cannot decide it now; None when they can
    findings: list[Shown]
    texts: Texts  #: the arguments, exact but for their secrets
    arguments: list[Argument]
    edits: list[Edit]
    execution: Execution | None
    execution_state: states.State | None
    is_in_doubt: bool
    is_moving: bool  #: approved, and neither its call nor the attempt to make it has ended
    more_time: Sequence[tuple[str, datetime]]  #: what the buttons that extend it say, and until when
    assignment: Assignment
    decided: Sequence[tuple[Decision, states.State]]  #: every decision about it, the first one first
    job_calls: JobCalls | None  #: what else its job has called; None without a job
    precedents: Sequence[Precedent]  #: how calls of this tool were decided last
    secrets: Sequence[Secret]  #: what is masked in its arguments
    reveals: Sequence[Reveal]  #: who has seen some of it


@router.get("/approvals/{approval_id}")
def show(
    request: Request, person: Person, approval_id: FromAddress, search: SearchQuery, decided: FromAddress | None = None
) -> Response:
    """The review page; ``decided`` is the call that was decided just before. Raises: NotFound."""
    return review_page(request, person, approval_id, search, decided=decided)


@router.get("/approvals/{approval_id}/standing")
def show_standing(request: Request, person: Person, approval_id: FromAddress, seen: int = 0) -> Response:
    """What happened to the call since its version ``seen``; 204 if nothing did. Raises: NotFound."""
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        approval = find_call(session, approval_id)
        if approval.version == seen:
            return Response(status_code=204)
        last = decisions.last_ruling(session, approval_id)
        assignment = read_assignment(session, approval, person)
    return page(
        request,
        "_standing.html",
        approval=approval,
        assignment=assignment,
        last=last,
        is_me=is_me(last, person),
        seen=seen,
        now=now,
    )


@router.get("/approvals/{approval_id}/decision")
@router.get("/approvals/{approval_id}/resolution")
@router.get("/approvals/{approval_id}/undo")
@router.get("/approvals/{approval_id}/sign-in")
@router.get("/approvals/{approval_id}/extend")
@router.get("/approvals/{approval_id}/assignment")
@router.get("/approvals/{approval_id}/edit")
@router.get("/approvals/{approval_id}/reveal")
def show_again(_person: Person, approval_id: FromAddress, search: SearchQuery) -> Response:
    """A form's address, opened as a page: its answer was shown there."""
    return see_other(search.address(f"/approvals/{approval_id}"))


def review_page(
    request: Request,
    person: PersonActor,
    approval_id: str,
    search: Search,
    *,
    typed: Typed | None = None,
    error: GatewayError | None = None,
    is_resumed: bool = False,
    revealed: str | None = None,
    decided: str | None = None,
) -> Response:
    """The page, with what somebody typed kept and what was refused said beside it. Raises: NotFound.

    ``is_resumed``: the person had to sign in again in the middle of it. ``revealed``: the pointer of a secret
    that is shown this once.
    """
    gateway = gateway_of(request)
    review = read_review(gateway, person, approval_id, revealed)
    with gateway.database.read() as session:
        listed = read_list(session, person, review.now, search)
        just_decided = read_just_decided(session, decided, review.now)
    if typed is None or not may_decide(person.role):  # whoever may decide nothing has no form to type in
        typed = Typed(view=request.query_params.get("view", "form"))
    carried = _carried(review, typed, gateway)
    if carried is not None:
        error = error or StaleDetails(details_sha256=review.approval.details_sha256)
    unread = typed.edit if carried is not None and not carried.is_readable else None
    if carried is not None:
        typed = replace(typed, arguments=carried.typed.fields, modified_details=carried.typed.json_text)
    return page(
        request,
        "review.html",
        review=review,
        approval=review.approval,
        listed=listed,
        open_id=approval_id,
        just_decided=just_decided,
        reasons=REASONS,
        decided_by_me=bool(review.decided) and is_me(review.decided[-1][0], person),
        typed=typed,
        editing=_editing(gateway, review, typed, error, revealed),
        error=error,
        error_place=place_of(error),
        is_resumed=is_resumed,
        tool_difference=_tool_difference(error),
        carried=carried,
        unread_text=editor.plain_text(unread) if unread is not None else "",
        now=review.now,
    )


def _editing(
    gateway: Gateway, review: Review, typed: Typed, error: GatewayError | None, revealed: str | None
) -> editor.Editor | None:
    """None when there are no arguments that could be edited."""
    approval = review.approval
    is_typed = typed.arguments or typed.modified_details is not None
    if approval.details is None or (review.why_not is not None and not is_typed):
        return None
    try:
        return editor.edit(
            typed.edit, approval.details, approval.schema_text, secret_places.read(approval.secrets),
            gateway.policy.limits, view=typed.view, error=error, revealed=revealed,
        )  # fmt: skip
    except GatewayError:
        return None  # the limits are lower than they were when it was asked


def find_call(session: Session, approval_id: str) -> Approval:
    """The call under this address. Raises: NotFound."""
    approval = approvals.find(session, approval_id)
    if approval is None:
        raise NotFound("There is no call under this address.")
    return approval


def read_review(gateway: Gateway, person: PersonActor, approval_id: str, revealed: str | None) -> Review:
    """What is known of this approval, and the one secret that is ``revealed``. Raises: NotFound."""
    limits = gateway.policy.limits
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        approval = find_call(session, approval_id)
        job = jobs.find(session, approval.job_id) if approval.job_id else None
        execution = executions.newest(session, [approval.id]).get(approval.id)
        decided = decisions.of_approval(session, approval.id)
        job_calls = read_job_calls(session, approval, now) if job else None
        precedents = read_precedents(session, approval, now, limits)
        assignment = read_assignment(session, approval, person)
        reveals = read_reveals(session, approval)
    texts = texts_of(approval, revealed)
    return Review(
        approval=approval,
        job=job,
        now=now,
        state=states.approval_state(approval, now),
        is_held=is_held(approval, now),
        why_held=_why_held(approval, job),
        why_not=_why_not(gateway, person, approval, now),
        findings=shown_findings(approval.warnings, approval.raw_details),
        texts=texts,
        arguments=arguments_of(texts.details, limits),
        edits=edits_of(approval.details, approval.modified_details, secret_places.read(approval.secrets), limits),
        execution=execution,
        execution_state=states.execution_state(execution) if execution else None,
        is_in_doubt=execution is not None and execution.status == ExecutionStatus.UNKNOWN,
        is_moving=_is_moving(approval, execution),
        more_time=_more_time(approval),
        assignment=assignment,
        decided=[(decision, states.decision_state(decision)) for decision in decided],
        job_calls=job_calls,
        precedents=precedents,
        secrets=secrets_of(approval),
        reveals=reveals,
    )


def is_me(decision: Decision | None, person: PersonActor) -> bool:
    """True for a decision that this person made, perhaps in another window."""
    return decision is not None and decision.actor_id == person.id


def _is_moving(approval: Approval, execution: Execution | None) -> bool:
    if approval.status != ApprovalStatus.APPROVED:
        return False
    return execution is None or execution.status == ExecutionStatus.STARTED or execution.attempt < approval.attempt


def _more_time(approval: Approval) -> list[tuple[str, datetime]]:
    # From the time that is shown, so that a button pressed twice gives the time once.
    if approval.expires_at is None:
        return []
    return [(word, approval.expires_at + span) for word, span in EXTENSIONS.items()]


def _why_held(approval: Approval, job: Job | None) -> str:
    if approval.auto_decided and approval.status == ApprovalStatus.REJECTED:
        return "It was rejected at once, by no person: it could not be taken as a call, or its job may not ask."
    if approval.auto_decided:
        return "Nobody was asked: this tool's setting lets its calls run without a person."
    if job is not None and job.permission == "ask":
        return "The app asked that every call of this job waits for a person."
    return "This tool's setting is that every call waits for a person."


def _why_not(gateway: Gateway, person: PersonActor, approval: Approval, now: datetime) -> str | None:
    if approval.status != ApprovalStatus.PENDING:
        return "It has been decided."
    if states.is_past_deciding(approval, now):
        return "The time for deciding has passed."
    if not may_decide(person.role):
        return "You are signed in as an auditor: you read everything and decide nothing."
    if is_own_request(person.email, approval.requested_for) and not gateway.policy.allow_own_requests:
        return "This was asked for you, or by you: somebody else decides it."
    return None


def _tool_difference(error: GatewayError | None) -> list[Line]:
    if not isinstance(error, ToolChanged):
        return []
    return difference(_definition(error.facts.get("before")), _definition(error.facts.get("after")))


def _definition(definition: Any) -> str:
    return json.dumps(definition, ensure_ascii=False, indent=2) if definition else "(not registered)"


def _carried(review: Review, typed: Typed, gateway: Gateway) -> Carried | None:
    """What was typed over other arguments than those that stand here now, as an edit of these; None unless so."""
    approval = review.approval
    if approval.details is None or review.why_not is not None or typed.is_about(approval.details_sha256):
        return None
    secrets = secret_places.read(approval.secrets)
    return carry(typed.edit, typed.seen, approval.details, secrets, gateway.policy.limits)
