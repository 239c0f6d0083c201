"""A job as the API shows it, with its calls: the schema of ``usecases.showing.view_job``."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from gateway.domain.job import JobStatus


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
