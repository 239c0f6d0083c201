"""The line that a reviewer reads first: built by the gateway from the arguments, never by the model."""

import re
from collections.abc import Collection, Iterator

from gateway.domain.json_text import (
    LIMITS,
    Limits,
    LiteralValue,
    compact,
    dump_literal,
    parse_literal,
)
from gateway.domain.shortening import shorten
from gateway.errors import InvalidJson, TooLarge

MAX_VALUE_CHARS = 80
MAX_TITLE_CHARS = 200
MAX_SCALARS = 3  # shown when a tool has no template

MISSING = "…"


def render_title(template: str | None, action: str, details_text: str, limits: Limits = LIMITS) -> str:
    """One line of at most 200 characters that names the call.

    ``{name}`` and ``{address.city}`` in the template are filled with the
    arguments, numbers as they were written. Without a template, or without a
    readable object of arguments: ``action`` and the first three scalars.
    """
    try:
        details = parse_literal(details_text, limits)
    except (InvalidJson, TooLarge):
        details = None
    if not isinstance(details, dict):
        title = action
    elif template:
        # A function, not str.format: that would reach attributes of values.
        title = _PLACE.sub(lambda place: _value_at(details, place[1]), template)
    else:
        title = " ".join([action, *_first_scalars(details)])
    return shorten(_one_line(title), MAX_TITLE_CHARS)


def check_template(template: str, properties: Collection[str]) -> str | None:
    """A sentence that says what is wrong with the template, None if nothing is.

    ``properties`` are the argument names of the tool's schema; of a dotted path
    only the first part is looked up there.
    """
    if _BRACE.search(_PLACE.sub("", template)):
        return "The title has a brace without its partner: arguments are written {name}."
    for place in _PLACE.findall(template):
        first, *rest = place.split(".")
        if not (first and all(rest)):
            return f"The title's {{{place}}} is not the name of an argument."
        if first not in properties:
            return f"The title names {{{place}}}, but the schema has no argument {first!r}."
    return None


_PLACE = re.compile(r"\{([^{}]*)\}")
_BRACE = re.compile(r"[{}]")
_LINE_BREAKERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _value_at(details: LiteralValue, dotted: str) -> str:
    """The argument as text. A key that itself has a dot is never looked up: it could pose as a path."""
    value = details
    for step in dotted.split("."):
        if not isinstance(value, dict) or step not in value:
            return MISSING
        value = value[step]
    return shorten(_one_line(_shown(value)), MAX_VALUE_CHARS)


def _first_scalars(details: dict[str, LiteralValue]) -> Iterator[str]:
    scalars = [(key, value) for key, value in details.items() if not isinstance(value, dict | list)]
    for key, value in scalars[:MAX_SCALARS]:
        yield f"{_quoted(key)}={_quoted(_shown(value))}"


def _quoted(text: str) -> str:
    """The text; in quotes if its own ``=`` could pose as a further argument."""
    shown = shorten(_one_line(text), MAX_VALUE_CHARS)
    return compact(shown) if "=" in shown else shown


def _shown(value: LiteralValue) -> str:
    match value:
        case str():
            return value
        case None:
            return "none"
        case _:
            return dump_literal(value)


def _one_line(text: str) -> str:
    return _LINE_BREAKERS.sub(" ", text)
