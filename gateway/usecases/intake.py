"""From a tool call of the model to an approval row: exact bytes, warnings, and what needs no person."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus, Verdict
from gateway.domain.arguments import sha256_hex
from gateway.domain.expiry import warning_time
from gateway.domain.findings.details import findings_of
from gateway.domain.findings.finding import Finding
from gateway.domain.json_schema import mismatches
from gateway.domain.json_text import Limits, require_object
from gateway.domain.storable import storable
from gateway.domain.title import render_title
from gateway.domain.turn import ToolCall
from gateway.errors import GatewayError, InvalidJson, TooLarge
from gateway.store.decisions import Entry
from gateway.store.tables import Approval, Job
from gateway.tools.base import Tool, ToolDefinition
from gateway.usecases import ledger, repeats
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_id
from gateway.usecases.repeats import Repeat

#: True of the call whatever becomes of its tool.
_LASTING_WARNINGS = frozenset({"arguments_not_text", "finished_late", "repeated_call", "similar_call"})


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
        _describe(approval, tool.definition)
        told = gateway.wording.invalid_arguments.format(reason=_reason(refusal, tool.definition))
        return _unusable(approval, call, now, refusal.code, told)
    _fill(approval, tool.definition, details, gateway.policy.limits, is_text=call.is_text)
    _limit_time(gateway, approval, tool.definition, now)
    if repeat is not None:
        repeats.mark(approval, repeat)
    return _gate(gateway, job, approval, tool, now)


def offered_tools(job: Job) -> list[str]:
    """The names of the tools that the job may use."""
    names: list[str] = json.loads(job.request)["tools"]
    return names


def definition_text(definition: ToolDefinition) -> str:
    """What an approval depends on, readable, so that a difference can be shown."""
    return json.dumps(
        {"name": definition.name, "kind": definition.kind, "target": definition.target,
         "schema": json.loads(definition.schema_text)},
        ensure_ascii=False,
    )  # fmt: skip


def note_tool_change(approval: Approval, definition: ToolDefinition | None, limits: Limits) -> None:
    """The approval carries the tool's present definition and warns that it is not the one it was asked under."""
    warnings = [warning for warning in json.loads(approval.warnings) if warning["code"] in _LASTING_WARNINGS]
    if definition is None:
        message = "This tool is no longer registered: the call cannot run."
    else:
        message = "The tool's definition changed after this call was asked."
        _describe(approval, definition)
        if approval.details is not None:
            _render(approval, definition, approval.details, limits)
            warnings += _warnings(approval, approval.details, limits)
    warnings.insert(0, {"code": "tool_changed", "path": "", "message": message})
    approval.warnings = json.dumps(warnings, ensure_ascii=False)


def unfit_places(approval: Approval, arguments: str, limits: Limits) -> list[Finding]:
    """Where these arguments do not satisfy the schema that the call was asked under; no secret is quoted."""
    unfit = mismatches(approval.schema_text or "{}", arguments, limits)
    found = [Finding("schema_mismatch", mismatch.pointer, mismatch.message) for mismatch in unfit]
    return secret_places.told(found, secret_places.read(approval.secrets))


def _warnings(approval: Approval, details: str, limits: Limits) -> list[dict[str, str]]:
    found = secret_places.told(findings_of(details, limits), secret_places.read(approval.secrets))
    return [finding.as_json() for finding in [*unfit_places(approval, details, limits), *found]]


def _render(approval: Approval, definition: ToolDefinition, details: str, limits: Limits) -> None:
    seen = secret_places.masked(details, secret_places.read(approval.secrets))
    approval.title = render_title(definition.title, definition.name, seen, limits)


def _reason(refusal: GatewayError, definition: ToolDefinition) -> str:
    """Why the arguments cannot be used, without the words of a secret."""
    secret = secret_places.secret_of(refusal.facts.get("pointer", ""), definition.secret)
    return refusal.message if secret is None else f"The value at {secret} cannot be used."


def _details(call: ToolCall, limits: Limits) -> str:
    require_object(call.arguments, limits)
    return call.arguments


def _describe(approval: Approval, definition: ToolDefinition) -> None:
    approval.risk = definition.risk
    approval.schema_text = definition.schema_text
    approval.tool_definition = definition_text(definition)
    approval.tool_sha256 = definition.sha256
    # What was secret when it was asked stays so.
    approval.secrets = secret_places.store([*secret_places.read(approval.secrets), *definition.secret])
    approval.note_required = definition.note_required
    approval.run_within_s = definition.run_within_s


def _fill(approval: Approval, definition: ToolDefinition, details: str, limits: Limits, *, is_text: bool) -> None:
    _describe(approval, definition)
    approval.details = details
    approval.details_sha256 = sha256_hex(details)
    _render(approval, definition, details, limits)
    warnings = _warnings(approval, details, limits)
    if not is_text:
        message = "The model sent an object instead of text; it is kept as compact JSON."
        warnings.insert(0, {"code": "arguments_not_text", "path": "", "message": message})
    approval.warnings = json.dumps(warnings, ensure_ascii=False)


def _limit_time(gateway: Gateway, approval: Approval, definition: ToolDefinition, now: datetime) -> None:
    policy = gateway.policy
    seconds = policy.expires_after_s if definition.expires_after_s is None else definition.expires_after_s
    if seconds is not None:
        approval.expires_at = now + timedelta(seconds=seconds)
        approval.warn_at = warning_time(now, approval.expires_at, policy.expiry_warning_share)


def _gate(gateway: Gateway, job: Job, approval: Approval, tool: Tool, now: datetime) -> Opened:
    runs_by_itself = tool.definition.approval == "auto" and job.permission != "ask"
    if runs_by_itself:
        approval.status = ApprovalStatus.APPROVED
        approval.effective_sha256 = approval.details_sha256
        approval.auto_decided = True
        approval.decided_at = approval.release_at = now
        decision = ledger.entry(
            approval, Verdict.APPROVE, ledger.by_tool_setting(tool.definition.name), now, reason_code="tool_setting"
        )
        approval.decision_id, approval.reason_code = decision.id, decision.reason_code
        return Opened(approval, decision)
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
