"""The arguments of a call as a reviewer reads them: every one, whole, numbers as they were written."""

import re
from dataclasses import dataclass
from itertools import pairwise

from gateway.domain import secret_places
from gateway.domain.arguments import changes
from gateway.domain.json_text import Limits, LiteralValue, Number, compact, parse_literal
from gateway.domain.secret_places import Pointers, masked_change
from gateway.errors import GatewayError
from gateway.store.tables import Approval, Decision

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Argument:
    """One member of the arguments. ``text`` is a string's own text, or JSON."""

    name: str
    kind: str
    text: str

    @property
    def is_json(self) -> bool:
        return self.kind not in {"string", "empty string"}

    @property
    def has_lines(self) -> bool:
        return not self.is_json and "\n" in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A call's arguments as they may be shown: exact, secrets masked. ``raw`` is what could not be taken as such."""

    details: str | None
    modified: str | None
    raw: str | None


@dataclass(frozen=True, slots=True)
class Edit:
    """One place that a reviewer changed; the values are JSON, None where there is none."""

    pointer: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a JSON text: a string with its quotes, or what stands between strings."""

    text: str
    is_string: bool


def texts_of(approval: Approval, revealed: str | None = None) -> Texts:
    """``revealed`` is the pointer of the one secret that is shown."""
    secrets = [pointer for pointer in secret_places.read(approval.secrets) if pointer != revealed]
    details, modified, raw = approval.details, approval.modified_details, approval.raw_details
    return Texts(
        details=details and secret_places.masked(details, secrets),
        modified=modified and secret_places.masked(modified, secrets),
        raw=raw and secret_places.shown(raw, secret_places.read(approval.secrets)),
    )


def arguments_of(details: str | None, limits: Limits) -> list[Argument]:
    """Each member of the arguments in their order; empty when there is nothing that can be read as an object."""
    try:
        value = parse_literal(details, limits) if details is not None else None
    except GatewayError:
        return []
    if not isinstance(value, dict):
        return []
    return [Argument(name, _kind(member), _shown(member)) for name, member in value.items()]


def edits_of(details: str | None, modified: str | None, secrets: Pointers, limits: Limits) -> list[Edit]:
    """What a reviewer changed, place by place, secrets masked; empty without an edit."""
    if details is None or modified is None:
        return []
    try:
        made = [masked_change(change, secrets) for change in changes(details, modified, limits)]
        return [Edit(change.pointer, change.before, change.after) for change in made]
    except GatewayError:
        return []


def decided_edits(decision: Decision, approval: Approval | None, limits: Limits) -> list[Edit]:
    """What this decision changed in the arguments of its call."""
    if approval is None:
        return []
    return edits_of(approval.details, decision.modified_details, secret_places.read(approval.secrets), limits)


def indented(value: LiteralValue, level: int = 0) -> str:
    """The value as JSON with a line for each member, numbers as they were written."""
    inner, outer = "\n" + _INDENT * (level + 1), "\n" + _INDENT * level
    match value:
        case dict() if value:
            members = [f"{compact(key)}: {indented(item, level + 1)}" for key, item in value.items()]
            return "{" + inner + f",{inner}".join(members) + outer + "}"
        case list() if value:
            return "[" + inner + f",{inner}".join(indented(item, level + 1) for item in value) + outer + "]"
        case Number():
            return value.literal
        case _:
            return compact(value)


def json_tokens(text: str) -> list[Token]:
    """The JSON text, cut at its strings: each is isolated on the page, or its script could reorder its neighbours."""
    cuts = [0, *(place for match in _STRING.finditer(text) for place in match.span()), len(text)]
    return [
        Token(text[start:end], is_string=bool(index % 2))
        for index, (start, end) in enumerate(pairwise(cuts))
        if start < end
    ]


def _kind(value: LiteralValue) -> str:
    match value:
        case str():
            return "string" if value else "empty string"
        case Number():
            return "number"
        case bool():
            return "true or false"
        case None:
            return "null"
        case list():
            return f"list of {len(value)}"
        case dict():
            return f"object of {len(value)}"


def _shown(value: LiteralValue) -> str:
    return value if isinstance(value, str) else indented(value)
