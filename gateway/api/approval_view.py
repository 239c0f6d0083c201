"""An approval as the API shows it, with its last decision and its newest execution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway.api.answers import masked, spliced
from gateway.api.decision_view import DecisionView, view_decision
from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus
from gateway.domain.execution import ExecutionStatus
from gateway.store import accounts, decisions, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision, Execution
from gateway.usecases.progress import is_held
from gateway.usecases.showing import shown_details, shown_status
from gateway.web.address import Site


class WarningView(BaseModel):
    """Something that a reviewer should know before deciding."""

    code: str = Field(examples=["schema_mismatch"])
    path: str = Field(description="JSON Pointer into the details", examples=["/amount"])
    message: str


class AssigneeView(BaseModel):
    """The person who looks at a call that waits. Whoever else may decide it still may."""

    id: str = Field(examples=["per_01kq8v2m4xw7c0r6t9b3n5h1zd"])
    name: str
    since: datetime


class ExecutionView(BaseModel):
    """The newest attempt to run an approved call."""

    status: ExecutionStatus
    attempt: int
    result: str | None
    error: str | None
    started_at: datetime
    finished_at: datetime | None


class ApprovalView(BaseModel):
    """One gated call that waits for, or is past, a decision.

    ``details``, ``modified_details``, ``effective_details`` and ``schema`` are
    the stored texts, character for character, but for ``secrets``: at these
    pointers stands "••••" (the hashes are of the true texts). ``details`` is a
    string instead when the model sent something that is not a JSON object. While an approval
    can still be undone (until ``release_at``) it shows as pending.
    """

    id: str = Field(examples=["apr_01kq8v2m4xw7c0r6t9b3n5h1zd"])
    status: ApprovalStatus
    origin: Literal["job", "chat", "cheqpoint", "mcp"]
    job_id: str | None
    tool_call_id: str | None
    action: str
    title: str = Field(description="Built by the gateway from the tool's template")
    summary: str | None = Field(description="The asking side's words")
    justification: str | None = Field(description="The asking side's words")
    risk_score: float | None
    risk: Literal["low", "medium", "high", "critical"]
    details: dict[str, Any] | str | None
    details_sha256: str = Field(description="Of the true text, also where something is masked")
    secrets: list[str] = Field(description="JSON Pointers whose values are masked", examples=[["/card_number"]])
    modified_details: dict[str, Any] | None
    effective_details: dict[str, Any] | None = Field(description="What was approved; null unless approved")
    schema_: dict[str, Any] | None = Field(alias="schema")
    warnings: list[WarningView]
    rule: dict[str, Any] | None
    required_approvals: int
    approvals_so_far: int
    assignee: AssigneeView | None
    group: str | None
    created_at: datetime
    expires_at: datetime | None
    release_at: datetime | None
    decided_at: datetime | None
    auto_decided: bool
    retryable: bool
    repeat_of: str | None = Field(description="The approval that rejected the same call before, in the same job")
    repeats: int = Field(description="How many times the call was asked for again by then; 0: it is no repeat")
    decision: DecisionView | None
    execution: ExecutionView | None
    review_url: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is shown with some approvals, read in one go."""

    decisions: Mapping[str, Decision]
    executions: Mapping[str, Execution]
    names: Mapping[str, str]  #: of the people that calls are assigned to, by id
    now: datetime
    site: Site


def read_surroundings(session: Session, rows: Sequence[Approval], now: datetime, site: Site) -> Surroundings:
    """Three statements at most, however many approvals there are."""
    decision_ids = [row.decision_id for row in rows if row.decision_id is not None]
    may_have_run = [row.id for row in rows if row.status == ApprovalStatus.APPROVED]
    return Surroundings(
        decisions=decisions.find_many(session, decision_ids) if decision_ids else {},
        executions=executions.newest(session, may_have_run) if may_have_run else {},
        names=accounts.names(session, {row.assignee for row in rows if row.assignee is not None}),
        now=now,
        site=site,
    )


def view_approval(row: Approval, around: Surroundings) -> dict[str, Any]:
    """The approval for ``answers.dump``. Until it is released, nothing of its decision shows."""
    held = is_held(row, around.now)
    is_approved = row.status == ApprovalStatus.APPROVED and not held
    decision = None if held else around.decisions.get(row.decision_id or "")
    secrets = secret_places.read(row.secrets)
    modified = None if held else row.modified_details
    effective = (modified or row.details) if is_approved else None
    return {
        "id": row.id,
        "status": shown_status(row, around.now),
        "origin": row.origin,
        "job_id": row.job_id,
        "tool_call_id": row.tool_call_id,
        "action": row.action,
        "title": row.title,
        "summary": row.summary,
        "justification": row.justification,
        "risk_score": row.risk_score,
        "risk": row.risk,
        "details": shown_details(row),
        "details_sha256": row.details_sha256,
        "secrets": secrets,
        "modified_details": masked(modified, secrets),
        "effective_details": masked(effective, secrets),
        "schema": spliced(row.schema_text),
        "warnings": spliced(row.warnings),
        "rule": None,
        "required_approvals": 1,
        "approvals_so_far": int(is_approved),
        "assignee": _view_assignee(row, around.names),
        "group": None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "release_at": row.release_at,
        "decided_at": None if held else row.decided_at,
        "auto_decided": row.auto_decided,
        "retryable": row.retryable,
        "repeat_of": row.repeat_of,
        "repeats": row.repeats,
        "decision": view_decision(decision, secrets) if decision else None,
        "execution": _view_execution(around.executions.get(row.id)),
        "review_url": around.site.review_url(row.id),
    }


def _view_assignee(row: Approval, names: Mapping[str, str]) -> dict[str, Any] | None:
    if row.assignee is None:
        return None
    return {"id": row.assignee, "name": names.get(row.assignee, row.assignee), "since": row.assigned_at}


def _view_execution(row: Execution | None) -> dict[str, Any] | None:
    if row is None:
        return None
    names = ("status", "attempt", "result", "error", "started_at", "finished_at")
    return {name: getattr(row, name) for name in names}
