"""Whether arguments satisfy a tool's JSON Schema (draft 2020-12), by the numbers as they are written.

A schema may come from outside (an MCP server lists its tools' schemas), so no
reference leaves it: the validator on its own would fetch ``http:`` and ``file:``.
Patterns run on an engine without backtracking, which look-around would need.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from gateway.domain import json_pointer
from gateway.domain.json_text import LIMITS, ExactValue, Limits, compact, parse, parse_exact
from gateway.domain.shortening import shorten
from gateway.errors import InvalidJson, InvalidTool, TooLarge

MAX_MESSAGE_CHARS = 300
MAX_MISMATCHES = 100
MANY_VALUES = 10_000  # beyond it only the first mismatch: the validator builds all, 8 µs each, 1 s for 256 KiB

SCHEMA_LIMITS = Limits(max_bytes=1024 * 1024, max_keys=20_000)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that the schema asks and the arguments do not give. Never quotes the value: it may be secret."""

    pointer: str
    message: str


def check_schema(schema: dict[str, Any]) -> None:
    """The schema can be used for checking. Raises: InvalidTool with the reason and its place."""
    try:
        text = compact(schema)
    except InvalidJson as error:
        raise InvalidTool(f"The schema cannot be used: {error.message}") from None
    _compile(text)


def mismatches(schema_text: str, details_text: str, limits: Limits = LIMITS) -> tuple[Mismatch, ...]:
    """What keeps the arguments from satisfying the schema: empty when they do, at most 100 otherwise.

    Of arguments with more than 10,000 values only the first mismatch is told.
    An empty schema text is satisfied by everything. Arguments that are not
    strict JSON are one mismatch of the whole. Raises: InvalidTool if the schema
    itself cannot be used.
    """
    if schema_text.strip() in {"", "{}"}:
        return ()
    validator = _compile(schema_text)
    try:
        details = parse_exact(details_text, limits)
    except (InvalidJson, TooLarge) as error:
        return (Mismatch("", shorten(error.message, MAX_MESSAGE_CHARS)),)
    is_long = details_text.count(",") > MANY_VALUES
    errors = _first_error(validator, details) if is_long else islice(validator.iter_errors(details), MAX_MISMATCHES)
    return tuple(Mismatch(json_pointer.from_path(error.instance_path), _message(error)) for error in errors)


@lru_cache(maxsize=256)
def _compile(schema_text: str) -> Draft202012Validator:
    try:
        # On its own the validator keeps the last of two equal keys and stumbles over 1e-9999999999999999999.
        return Draft202012Validator(
            compact(parse(schema_text, SCHEMA_LIMITS)),
            validate_formats=True,
            retriever=_refuse_reference,
            pattern_options=RegexOptions(),
            mask="this value",
        )
    except (InvalidJson, TooLarge) as error:
        raise InvalidTool(f"The schema cannot be used: {error.message}") from None
    except ValidationError as error:
        pointer = json_pointer.from_path(error.instance_path)  # empty for references
        reason = shorten(error.message, MAX_MESSAGE_CHARS) + (f", at {pointer}" if pointer else "")
        raise InvalidTool(f"The schema cannot be used: {reason}.") from None


def _refuse_reference(uri: str) -> NoReturn:
    raise ValueError("only references inside the schema itself are followed")


def _first_error(validator: Draft202012Validator, details: ExactValue) -> list[ValidationError]:
    try:
        validator.validate(details)
    except ValidationError as error:
        return [error]
    return []


def _message(error: ValidationError) -> str:
    if isinstance(error.kind, ValidationErrorKind.FalseSchema):
        if error.schema_path[-1:] == ["additionalProperties"]:
            return "no member is allowed here"
        return "this value is not allowed"
    return shorten(error.message, MAX_MESSAGE_CHARS)
