"""An approval as the face of Cheqpoint answers it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class RequestView(BaseModel):
    """A request and what became of it. Its two note fields are for two generations of clients."""

    id: str
    approvalId: str
    status: str = Field(description="PENDING, APPROVED or REJECTED; from `inbound` in lower case")
    action: str
    summary: str
    riskScore: float | None
    details: dict[str, Any] = Field(description="As sent, character for character")
    modifiedDetails: dict[str, Any] | None = Field(
        description="What the reviewer approved instead; null: as sent. {} is an edit"
    )
    responseNotes: str | None = Field(description="The reviewer's note, and an edit in words")
    decisionNote: str | None = Field(description="The reviewer's note")
    decisionReasonCode: str | None
    autoDecided: bool
    autoDecisionRuleName: str | None
    decidedAt: datetime | None
    retryable: bool = Field(description="Nobody decided: the same may be asked again")
    createdAt: datetime
    expiresAt: datetime | None
    reviewUrl: str
