"""From a tool call of the model to an approval row: exact bytes, warnings, and what needs no person."""

import json
from dataclasses import dataclass
from datetime import datetime

from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus, Verdict
from gateway.domain.arguments import sha256_hex
from gateway.domain.json_text import Limits, require_object
from gateway.domain.storable import storable
from gateway.domain.turn import ToolCall
from gateway.errors import GatewayError, InvalidJson, TooLarge
from gateway.store.decisions import Entry
from gateway.store.tables import Approval, Job
from gateway.tools.base import Tool, ToolDefinition
from gateway.usecases import describing, ledger, repeats
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_id
from gateway.usecases.repeats import Repeat


@dataclass(frozen=True, slots=True)
class Opened:
    """A new approval, the decision that it was born with (if any) and its tool result (if any)."""

    approval: Approval
    decision: Entry | None = None
    result: str | None = None


def open_call(
    gateway: Gateway,
    job: Job,
    call: ToolCall,
    *,
    tool_call_id: str,
    position: int,
    summary: str | None,
    repeat: Repeat | None,
    now: datetime,
) -> Opened:
    """The approval of one call, not yet in the database.

    A call that cannot be understood is rejected at birth by ``system``; a call
    of a tool with ``approval = "auto"`` is approved at birth in its name.
    """
    approval = Approval(
        id=new_id("apr"),
        status=ApprovalStatus.PENDING,
        origin="job",
        job_id=job.id,
        owner=job.owner,
        app=job.app,
        requested_for=job.on_behalf_of or job.submitted_by,
        round=job.rounds,
        position=position,
        tool_call_id=tool_call_id,
        action=storable(call.name)[:200],
        title="",
        summary=storable(summary) if summary else None,
        risk="high",
        details_sha256="",
        created_at=now,
    )
    tool = gateway.tools.get(call.name) if call.name in offered_tools(job) else None
    if tool is None:
        return _unusable(approval, call, now, "unknown_tool", gateway.wording.unknown_tool.format(name=approval.action))
    try:
        details = _details(call, gateway.policy.limits)
    except (InvalidJson, TooLarge) as refusal:
        describing.describe(approval, tool.definition)
        told = gateway.wording.invalid_arguments.format(reason=_reason(refusal, tool.definition))
        return _unusable(approval, call, now, refusal.code, told)
    describing.fill(approval, tool.definition, details, gateway.policy.limits, is_text=call.is_text)
    describing.limit_time(gateway, approval, tool.definition, now)
    if repeat is not None:
        repeats.mark(approval, repeat)
    return _gate(gateway, job, approval, tool, now)


def approve_by_setting(approval: Approval, definition: ToolDefinition, now: datetime) -> Entry:
    """The approval is approved at birth in the name of its tool's setting; the decision that says so."""
    approval.status = ApprovalStatus.APPROVED
    approval.effective_sha256 = approval.details_sha256
    approval.auto_decided = True
    approval.decided_at = approval.release_at = now
    by = ledger.by_tool_setting(definition.name)
    decision = ledger.entry(approval, Verdict.APPROVE, by, now, reason_code="tool_setting")
    approval.decision_id, approval.reason_code = decision.id, decision.reason_code
    return decision


def offered_tools(job: Job) -> list[str]:
    """The names of the tools that the job may use."""
    names: list[str] = json.loads(job.request)["tools"]
    return names


def _reason(refusal: GatewayError, definition: ToolDefinition) -> str:
    """Why the arguments cannot be used, without the words of a secret."""
    secret = secret_places.secret_of(refusal.facts.get("pointer", ""), definition.secret)
    return refusal.message if secret is None else f"The value at {secret} cannot be used."


def _details(call: ToolCall, limits: Limits) -> str:
    require_object(call.arguments, limits)
    return call.arguments


def _gate(gateway: Gateway, job: Job, approval: Approval, tool: Tool, now: datetime) -> Opened:
    runs_by_itself = tool.definition.approval == "auto" and job.permission != "ask"
    if runs_by_itself:
        return Opened(approval, approve_by_setting(approval, tool.definition, now))
    if job.permission == "deny":
        repeats.keep_rejected(gateway, job, approval)
        return _born_rejected(approval, now, "permission_deny", gateway.wording.permission_deny)
    return Opened(approval)


def _unusable(approval: Approval, call: ToolCall, now: datetime, reason_code: str, told: str) -> Opened:
    approval.raw_details = storable(call.arguments)
    approval.details_sha256 = sha256_hex(approval.raw_details)
    approval.title = approval.action
    return _born_rejected(approval, now, reason_code, told)


def _born_rejected(approval: Approval, now: datetime, reason_code: str, told: str) -> Opened:
    approval.status = ApprovalStatus.REJECTED
    approval.auto_decided = True
    approval.retryable = reason_code != "permission_deny"
    approval.decided_at = now
    approval.reason_code = reason_code
    decision = ledger.entry(approval, Verdict.REJECT, ledger.SYSTEM, now, reason_code=reason_code, note=told)
    approval.decision_id = decision.id
    return Opened(approval, decision, told)
