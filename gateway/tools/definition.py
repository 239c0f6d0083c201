"""What makes a tool's definition usable: every rule that the registry holds before it takes a tool."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic import ValidationError

from gateway.domain import json_schema, secret_places, title
from gateway.errors import GatewayError, InvalidTool
from gateway.tools.base import ApprovalMode, FunctionParameters, Risk, ToolDefinition

#: Mistral refuses any other function name.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_SECONDS: Final = 366 * 24 * 3600


def invalid(tool: str, field: str, reason: str) -> InvalidTool:
    """The refusal of one field of one tool, in one sentence."""
    return InvalidTool(f"Tool {tool!r}, field {field!r}: {reason.rstrip('.')}.", tool=tool, field=field, reason=reason)


def schema_text(tool: str, parameters: FunctionParameters | Mapping[str, Any]) -> str:
    """The arguments' schema as compact JSON. Raises: InvalidTool if it is not an object's schema."""
    try:
        if not isinstance(parameters, FunctionParameters):
            parameters = FunctionParameters.model_validate(parameters)
        return json.dumps(parameters.as_schema(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValidationError as error:
        raise invalid(tool, "parameters", _first(error)) from error
    except (TypeError, ValueError) as error:
        raise invalid(tool, "parameters", f"not JSON: {error}") from error


def check_definition(definition: ToolDefinition) -> None:
    """Every field can be used. Raises: InvalidTool naming the tool and the first field that cannot."""
    if not _NAME.fullmatch(_text(definition.name)):
        raise invalid(str(definition.name), "name", "must be 1 to 64 of the characters A-Z a-z 0-9 _ -")
    if not _text(definition.description).strip():
        raise invalid(definition.name, "description", "must be text that says what the tool does")
    _check_schema_and_title(definition)
    _check_gate(definition)


def _check_schema_and_title(definition: ToolDefinition) -> None:
    schema = json.loads(definition.schema_text)
    try:
        json_schema.check_schema(schema)
    except GatewayError as error:
        raise invalid(definition.name, "parameters", error.message) from error
    properties = schema.get("properties", {})
    if sentence := secret_places.check_pointers(definition.secret, schema):
        raise invalid(definition.name, "secret", sentence)
    if definition.title is None:
        return
    if not _text(definition.title).strip():
        raise invalid(definition.name, "title", "must be text")
    sentence = title.check_template(_text(definition.title), properties)
    if sentence:
        raise invalid(definition.name, "title", sentence)


def _check_gate(definition: ToolDefinition) -> None:
    choices = {"risk": get_args(Risk), "approval": get_args(ApprovalMode)}
    for field, allowed in choices.items():
        if getattr(definition, field) not in allowed:
            raise invalid(definition.name, field, f"must be one of {', '.join(allowed)}")
    for field in ("idempotent", "note_required"):
        if not isinstance(getattr(definition, field), bool):
            raise invalid(definition.name, field, "must be true or false")
    if not _is_duration(definition.timeout_s):
        raise invalid(definition.name, "timeout_s", "must be a number of seconds above 0, at most 366 days")
    for field in ("expires_after_s", "run_within_s"):
        value = getattr(definition, field)
        if value is not None and not _is_duration(value):
            raise invalid(definition.name, field, "must be a number of seconds above 0, at most 366 days")


def _text(value: object) -> str:
    """The value if it is text, else nothing: a tool written without a type checker may hold anything."""
    return value if isinstance(value, str) else ""


def _is_duration(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 < value <= _MAX_SECONDS


def _first(error: ValidationError) -> str:
    """The first complaint of pydantic with the place it names."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
