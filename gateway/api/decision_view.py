"""A decision as the API shows it: the columns of the table, in their stable names."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway.api.answers import spliced
from gateway.domain.approval import Verdict
from gateway.domain.secret_places import Pointers, masked
from gateway.store import approvals
from gateway.store.session import Session
from gateway.store.tables import Decision

#: The columns in the order in which exports show them.
COLUMNS = tuple(Decision.model_fields)


class DecisionView(BaseModel):
    """One change out of pending, undo, extension or resolution."""

    seq: int
    id: str = Field(examples=["dec_01kq8v2m4xw7c0r6t9b3n5h1zd"])
    at: datetime
    approval_id: str
    job_id: str | None
    app: str | None
    origin: str
    action: str
    verdict: Verdict
    is_final: bool
    actor_kind: Literal["person", "rule", "tool_setting", "system"]
    actor_id: str | None
    actor_name: str | None
    actor_role: str | None
    channel: str | None
    rule_id: str | None
    rule_version: int | None
    details_sha256: str
    effective_sha256: str | None
    modified_details: dict[str, Any] | None = Field(
        description="Exact, secrets masked; the hashes are of the true text"
    )
    note: str | None
    reason_code: str | None
    response: str | None
    waited_ms: int
    prev_hash: str
    entry_hash: str


def view_decision(row: Decision, secrets: Pointers) -> dict[str, Any]:
    """The decision for ``answers.dump``, with the ``secrets`` of its call masked."""
    columns = columns_of(row, secrets)
    return columns | {"modified_details": spliced(columns["modified_details"])}


def columns_of(row: Decision, secrets: Pointers) -> dict[str, Any]:
    """What stands in each column, but for the ``secrets`` of its call."""
    columns = {column: getattr(row, column) for column in COLUMNS}
    if row.modified_details is not None:
        columns["modified_details"] = masked(row.modified_details, secrets)
    return columns


def secrets_of(session: Session, rows: Sequence[Decision]) -> dict[str, Pointers]:
    """The secret places of those calls that were edited, by the approval's id: only an edit shows arguments."""
    return approvals.secrets_of(session, {row.approval_id for row in rows if row.modified_details is not None})
