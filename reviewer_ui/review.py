"""One call as the review page shows it, with what a person should know before deciding."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus
from gateway.domain.execution import ExecutionStatus
from gateway.domain.permission import PersonActor, is_own_request, may_decide
from gateway.errors import NotFound
from gateway.store import approvals, decisions, executions, jobs
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision, Execution, Job
from gateway.usecases.gateway import Gateway
from gateway.usecases.progress import is_held
from reviewer_ui import states
from reviewer_ui.arguments import Argument, Edit, Texts, arguments_of, edits_of, texts_of
from reviewer_ui.assignment import Assignment, read_assignment
from reviewer_ui.findings import Shown, shown_findings
from reviewer_ui.reveals import Reveal, Secret, read_reveals, secrets_of
from reviewer_ui.said import Said, read_said
from reviewer_ui.surroundings import JobCalls, Precedent, read_job_calls, read_precedents

EXTENSIONS = {"one more hour": timedelta(hours=1), "one more day": timedelta(days=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that the page shows of one approval, read in one snapshot."""

    approval: Approval
    job: Job | None
    runs_elsewhere: bool  #: whoever asked acts on the decision; nothing of it runs here
    said: Said | None  #: what else a program said of its request
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


def find_call(session: Session, approval_id: str) -> Approval:
    """The call under this address. Raises: NotFound."""
    approval = approvals.find(session, approval_id)
    if approval is None:
        raise NotFound("There is no call under this address.")
    return approval


def read_review(
    session: Session, gateway: Gateway, person: PersonActor, approval_id: str, revealed: str | None
) -> Review:
    """What is known of this approval, and the one secret that is ``revealed``. Raises: NotFound."""
    limits = gateway.policy.limits
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
        runs_elsewhere=approval.job_id is None,
        said=read_said(approval, limits),
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
    if approval.status != ApprovalStatus.APPROVED or approval.job_id is None:
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
    if approval.job_id is None:
        return f"{approval.app or 'A person'} waits for this decision, and acts on it itself: nothing of it runs here."
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
