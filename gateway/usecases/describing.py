"""What an approval says of its call: the tool as it was, the title, the warnings, and until when it can be decided."""

import json
from datetime import datetime, timedelta

from gateway.domain import secret_places
from gateway.domain.arguments import sha256_hex
from gateway.domain.expiry import warning_time
from gateway.domain.findings.details import findings_of
from gateway.domain.findings.finding import Finding
from gateway.domain.json_schema import mismatches
from gateway.domain.json_text import Limits
from gateway.domain.title import render_title
from gateway.store.tables import Approval
from gateway.tools.base import ToolDefinition
from gateway.usecases.gateway import Gateway

#: True of the call whatever becomes of its tool.
_LASTING_WARNINGS = frozenset({"arguments_not_text", "finished_late", "repeated_call", "similar_call"})


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
        describe(approval, definition)
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


def fill(
    approval: Approval, definition: ToolDefinition | None, details: str, limits: Limits, *, is_text: bool = True
) -> None:
    """The approval has these arguments, and says of them what can be said; of an unknown action without a schema."""
    if definition is not None:
        describe(approval, definition)
    approval.details = details
    approval.details_sha256 = sha256_hex(details)
    _render(approval, definition, details, limits)
    warnings = _warnings(approval, details, limits)
    if not is_text:
        message = "The model sent an object instead of text; it is kept as compact JSON."
        warnings.insert(0, {"code": "arguments_not_text", "path": "", "message": message})
    approval.warnings = json.dumps(warnings, ensure_ascii=False)


def limit_time(gateway: Gateway, approval: Approval, definition: ToolDefinition | None, now: datetime) -> None:
    """The approval expires when its tool, or else the gateway, says so; with a warning before."""
    policy = gateway.policy
    own_s = definition.expires_after_s if definition is not None else None
    seconds = policy.expires_after_s if own_s is None else own_s
    if seconds is not None:
        approval.expires_at = now + timedelta(seconds=seconds)
        approval.warn_at = warning_time(now, approval.expires_at, policy.expiry_warning_share)


def _render(approval: Approval, definition: ToolDefinition | None, details: str, limits: Limits) -> None:
    seen = secret_places.masked(details, secret_places.read(approval.secrets))
    template = definition.title if definition is not None else None
    approval.title = render_title(template, approval.action, seen, limits)


def describe(approval: Approval, definition: ToolDefinition) -> None:
    """The approval is one of a call of this tool, as it is now."""
    approval.risk = definition.risk
    approval.schema_text = definition.schema_text
    approval.tool_definition = definition_text(definition)
    approval.tool_sha256 = definition.sha256
    # What was secret when it was asked stays so.
    approval.secrets = secret_places.store([*secret_places.read(approval.secrets), *definition.secret])
    approval.note_required = definition.note_required
    approval.run_within_s = definition.run_within_s


def _warnings(approval: Approval, details: str, limits: Limits) -> list[dict[str, str]]:
    found = secret_places.told(findings_of(details, limits), secret_places.read(approval.secrets))
    return [finding.as_json() for finding in [*unfit_places(approval, details, limits), *found]]
