"""Changes of arguments as people compare them: with types, and texts of many lines line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.domain.arguments import Change
from gateway.domain.findings.secret_text import masked
from gateway.domain.json_text import Limits, Number, parse_literal
from gateway.domain.secret_places import Pointers, masked_change
from reviewer_ui.difference import Line, difference

LONG_CHARS = 120  #: a text beyond it, or of several lines, is compared by its lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """One place. ``before`` and ``after`` are JSON, None where there is nothing; ``lines`` stands for long texts."""

    pointer: str
    kind: Literal["added", "removed", "changed"]
    before: str | None
    before_kind: str
    after: str | None
    after_kind: str
    lines: list[Line]


def view_changes(changes: Sequence[Change], secrets: Pointers, limits: Limits) -> list[ChangeView]:
    """The changes for people, secrets masked."""
    return [_view(masked_change(change, secrets), limits) for change in changes]


def summary(changes: Sequence[ChangeView]) -> str:
    """One sentence of the first change and how many there are; empty without any."""
    if not changes:
        return ""
    first, more = changes[0], len(changes) - 1
    place = first.pointer or "the whole"
    if first.lines or len(f"{first.before}{first.after}") > LONG_CHARS:
        said = f"Will run with {place} {first.kind}"
    elif first.after is None:
        said = f"Will run without {place}"
    elif first.before is None:
        said = f"Will run with {place} {first.after} added"
    else:
        said = f"Will run with {place} {first.after} instead of {first.before}"
    return f"{said}, and {more} more edit{'' if more == 1 else 's'}" if more else said


def _view(change: Change, limits: Limits) -> ChangeView:
    before, before_kind = _read(change.before, limits)
    after, after_kind = _read(change.after, limits)
    is_long = before is not None and after is not None and (
        "\n" in before or "\n" in after or max(len(before), len(after)) > LONG_CHARS
    )  # fmt: skip
    return ChangeView(
        pointer=change.pointer,
        kind=change.kind,
        before=change.before and masked(change.before),
        before_kind=before_kind,
        after=change.after and masked(change.after),
        after_kind=after_kind,
        lines=difference(masked(before or ""), masked(after or "")) if is_long else [],
    )


def _read(text: str | None, limits: Limits) -> tuple[str | None, str]:
    """The text of a string, None for any other value; and what kind of value it is."""
    if text is None:
        return None, ""
    match parse_literal(text, limits):
        case str() as value:
            return value, "string"
        case Number():
            return None, "number"
        case bool():
            return None, "true or false"
        case None:
            return None, "null"
        case list():
            return None, "list"
        case dict():
            return None, "object"
