"""A job as the API shows it, with its calls."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from gateway.api.answers import masked, spliced
from gateway.api.approval_view import shown_details, shown_status
from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus
from gateway.domain.job import JobStatus
from gateway.store import approvals, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution, Job
from gateway.usecases.progress import is_held


class ToolCallView(BaseModel):
    """One call that the model made."""

    id: str | None
    name: str
    round: int
    arguments: dict[str, Any] | str | None = Field(
        description="What was asked, or approved instead, secrets masked; a string when it is not a JSON object"
    )
    approval_id: str
    status: str = Field(description="The execution's status once there is one, else the approval's")
    result: str | None = Field(description="What the tool, or a reviewer in its place, answered")
    error: str | None


class ErrorView(BaseModel):
    """Why a job failed."""

    code: str = Field(examples=["max_rounds"])
    message: str | None


class UsageView(BaseModel):
    """Tokens of all rounds together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class JobView(BaseModel):
    """One piece of work that was submitted."""

    id: str = Field(examples=["job_01kq8v2m4xw7c0r6t9b3n5h1zd"])
    status: JobStatus
    model: str | None
    session_id: str | None
    output: dict[str, Any] | None = Field(
        examples=[{"role": "assistant", "content": "Order ord_1042 is cancelled.", "finish_reason": "stop"}]
    )
    error: ErrorView | None
    rounds: int
    usage: UsageView
    tool_calls: list[ToolCallView]
    pending_approvals: list[str]
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime | None = Field(description="Unfinished at this time, it fails with the code `deadline`")
    metadata: dict[str, Any] | None


def view_jobs(session: Session, rows: Sequence[Job], now: datetime) -> list[dict[str, Any]]:
    """The jobs for ``answers.dump``, read with two statements more, however many there are."""
    with_calls = [row.id for row in rows if row.rounds]
    calls = approvals.of_jobs(session, with_calls) if with_calls else ()
    may_have_run = [call.id for call in calls if call.status == ApprovalStatus.APPROVED]
    attempts = executions.newest(session, may_have_run) if may_have_run else {}
    of_job: dict[str | None, list[Approval]] = defaultdict(list)
    for call in calls:
        of_job[call.job_id].append(call)
    return [view_job(row, of_job[row.id], attempts, now) for row in rows]


def view_job(row: Job, calls: Sequence[Approval], attempts: dict[str, Execution], now: datetime) -> dict[str, Any]:
    """One job for ``answers.dump``."""
    return {
        "id": row.id,
        "status": row.status,
        "model": row.model,
        "session_id": None,
        "output": spliced(row.output),
        "error": {"code": row.error_code, "message": row.error_message} if row.error_code else None,
        "rounds": row.rounds,
        "usage": {
            "prompt_tokens": row.prompt_tokens,
            "completion_tokens": row.completion_tokens,
            "total_tokens": row.total_tokens,
        },
        "tool_calls": [_view_call(call, attempts.get(call.id), now) for call in calls],
        "pending_approvals": [call.id for call in calls if shown_status(call, now) == ApprovalStatus.PENDING],
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deadline_at": row.deadline_at,
        "metadata": spliced(row.metadata_text),
    }


def _view_call(call: Approval, execution: Execution | None, now: datetime) -> dict[str, Any]:
    is_edited = call.modified_details is not None and not is_held(call, now)
    return {
        "id": call.tool_call_id,
        "name": call.action,
        "round": call.round,
        "arguments": masked(call.modified_details, secret_places.read(call.secrets))
        if is_edited
        else shown_details(call),
        "approval_id": call.id,
        "status": execution.status if execution else shown_status(call, now),
        "result": execution.result if execution else call.response,
        "error": execution.error if execution else None,
    }
