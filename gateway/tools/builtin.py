"""The tools that every gateway has."""

from datetime import UTC, datetime
from decimal import Context, Decimal, DecimalException, DivisionByZero, Inexact, InvalidOperation, Overflow, Underflow
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.domain import json_text
from gateway.tools.base import ApprovalMode, BaseTool, CallContext, FunctionParameters, Risk
from gateway.tools.registry import ToolRegistry

#: What a sum, difference or product may need. A number like 1E999999999 would otherwise fill the memory.
_MAX_DIGITS: Final = 50
_MAX_EXPONENT: Final = 999
_QUOTIENT_DIGITS: Final = 28
_OUT_OF_RANGE: Final = f"The numbers and the result may have {_MAX_DIGITS} digits and exponents up to {_MAX_EXPONENT}."


def create_default_registry() -> ToolRegistry:
    """A new registry with the built-in tools."""
    registry = ToolRegistry()
    registry.register(Calculator())
    registry.register(CurrentTime())
    return registry


class Calculator(BaseTool):
    """Exact decimal arithmetic on the numbers as they were written: 0.1 + 0.2 is 0.3."""

    name = "calculator"
    description = "Add, subtract, multiply or divide two numbers, with exact decimals."
    parameters = FunctionParameters(
        properties={
            "operation": {"type": "string", "enum": ["add", "subtract", "multiply", "divide"]},
            "a": {"type": "number", "description": "The first number"},
            "b": {"type": "number", "description": "The second number"},
        },
        required=["operation", "a", "b"],
        additionalProperties=False,
    )
    title = "Calculate: {operation} {a} and {b}"
    risk: Risk = "low"
    idempotent = True

    def execute(self, operation: str, a: float, b: float, context: CallContext) -> str:
        """The result in plain digits. Raises: ValueError with the sentence for the model."""
        # ``a`` and ``b`` are floats that have already lost digits; the approved text has not.
        try:
            return _plain(_calculate(operation, _written(context, "a"), _written(context, "b")))
        except DecimalException:
            raise ValueError(_OUT_OF_RANGE) from None


class CurrentTime(BaseTool):
    """The time in a zone, by the clock of the machine that runs the tool."""

    name = "get_current_time"
    description = "Get the current date and time in ISO 8601, in UTC or in the given time zone."
    parameters = FunctionParameters(
        properties={"timezone": {"type": "string", "description": "IANA name such as Europe/Paris; default UTC"}},
        additionalProperties=False,
    )
    title = "Get the current time"
    risk: Risk = "low"
    approval: ApprovalMode = "auto"
    idempotent = True

    def execute(self, timezone: Any = "UTC") -> str:
        """The time to the second with its offset. Raises: ValueError with the sentence for the model."""
        try:
            zone = ZoneInfo(timezone)
        except (KeyError, ValueError, TypeError, OSError):  # a path-like name or a folder of zones, too
            raise ValueError("There is no time zone of this name; IANA names look like Europe/Paris.") from None
        return datetime.now(UTC).astimezone(zone).isoformat(timespec="seconds")


def _written(context: CallContext, name: str) -> Decimal:
    written = json_text.parse_exact(context.arguments_json)
    number = written.get(name) if isinstance(written, dict) else None
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ValueError(f"{name} must be a number.")
    return Decimal(number)


def _calculate(operation: str, a: Decimal, b: Decimal) -> Decimal:
    """Raises: ValueError for what is not arithmetic; DecimalException for what cannot be given exactly."""
    exact = _context(_MAX_DIGITS, Inexact)
    a, b = exact.create_decimal(a), exact.create_decimal(b)
    match operation:
        case "add":
            return exact.add(a, b)
        case "subtract":
            return exact.subtract(a, b)
        case "multiply":
            return exact.multiply(a, b)
        case "divide":
            if not b:
                raise ValueError("Division by zero.")
            return _context(_QUOTIENT_DIGITS).divide(a, b)
        case _:
            raise ValueError("operation must be add, subtract, multiply or divide.")


def _context(digits: int, *also_refused: type[DecimalException]) -> Context:
    traps: list[type[DecimalException]] = [InvalidOperation, DivisionByZero, Overflow, Underflow, *also_refused]
    return Context(prec=digits, Emax=_MAX_EXPONENT, Emin=-_MAX_EXPONENT, traps=traps)


def _plain(number: Decimal) -> str:
    if not number:
        return "0"
    text = format(number, "f")
    return text if len(text) <= _MAX_DIGITS + 2 else str(number)
