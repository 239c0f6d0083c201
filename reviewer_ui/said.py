"""What a program said beside its request: the steps that led to it, and whatever else it sent. Unverified words."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.findings.secret_text import masked
from gateway.domain.json_text import Limits, LiteralValue, dump_literal, parse_literal
from gateway.errors import GatewayError
from gateway.store.tables import Approval
from reviewer_ui.arguments import Argument, arguments_of

_TRACE = "trace"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trace: a thought, a call, an answer."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Secrets in it are masked like everywhere."""

    steps: Sequence[Step]
    others: Sequence[Argument]


def read_said(approval: Approval, limits: Limits) -> Said | None:
    """None where nothing else was said."""
    if approval.sent_along is None:
        return None
    try:
        text = masked(approval.sent_along)
        sent = parse_literal(text, limits)
    except GatewayError:
        return Said((), (Argument("", "text", approval.sent_along),))  # the limits are lower than they were then
    steps = _steps(sent.get(_TRACE)) if isinstance(sent, dict) else ()
    others = arguments_of(text, limits)
    return Said(steps, [one for one in others if not (steps and one.name == _TRACE)])


def _steps(trace: LiteralValue) -> Sequence[Step]:
    """The steps of a trace in the SDK's form; none of one in any other form, which is shown as it is."""
    found = trace.get("steps") if isinstance(trace, dict) else None
    if not isinstance(found, list) or not all(isinstance(step, dict) for step in found):
        return ()
    return [Step(_words(step.get("type")), _words(step.get("content"))) for step in found if isinstance(step, dict)]


def _words(value: LiteralValue) -> str:
    return value if isinstance(value, str) else dump_literal(value)
