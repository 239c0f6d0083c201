"""The places in a tool's arguments that are secret: what stands there is masked wherever a call is shown.

The stored text, its hashes and what runs are the true ones. A mask is put in
by its place in the text, so that every other byte stays as it was written.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.domain import json_pointer
from gateway.domain.arguments import Change
from gateway.domain.findings.finding import Finding
from gateway.domain.findings.secret_text import MASK
from gateway.domain.json_text import LIMITS, Limits, compact, parse, place_of
from gateway.errors import InvalidJson, TooLarge

MAX_POINTERS = 100
MASK_JSON = compact(MASK)

Pointers = Sequence[str]

_FOUND = "This was found in a secret value: reveal it to see what it is."
_WORDS = {"schema_mismatch": "this secret value does not satisfy the schema"}


def check_pointers(pointers: object, schema: Mapping[str, Any]) -> str | None:
    """A sentence that says why these cannot be a tool's secret places, None if they can.

    ``schema`` is that of the tool's arguments: a misspelt pointer would hide
    nothing, and nobody would notice. A place inside a list is no secret place:
    its value moves when another item is taken out.
    """
    if not isinstance(pointers, list | tuple) or len(pointers) > MAX_POINTERS:
        return f'must be a list of at most {MAX_POINTERS} JSON Pointers, like ["/card_number"]'
    for pointer in pointers:
        if sentence := _flaw(pointer, schema):
            # A pointer is no value: it can be quoted.
            return f"{pointer!r}: {sentence}"
    return None


def read(stored: str | None) -> tuple[str, ...]:
    """The pointers that ``stored`` holds."""
    return tuple(json.loads(stored)) if stored else ()


def store(pointers: Pointers) -> str | None:
    """The pointers as JSON, each once; None without any."""
    return compact(list(dict.fromkeys(pointers))) if pointers else None


def masked(text: str, pointers: Pointers) -> str:
    """The JSON text with a mask for the value at each pointer, whatever kind it is; all else byte for byte.

    The json module must have read the text.
    """
    pieces, at = [], 0
    for start, end in sorted(places(text, pointers).values()):
        if start >= at:  # else it lies within a value that is masked already
            pieces += [text[at:start], MASK_JSON]
            at = end
    return "".join([*pieces, text[at:]])


def shown(text: str, pointers: Pointers, limits: Limits = LIMITS) -> str:
    """As ``masked``; what cannot be read as an object, where no place is told from another, is a mask as a whole."""
    if not pointers:
        return text
    try:
        value = parse(text, limits)
    except (InvalidJson, TooLarge):
        return MASK
    return masked(text, pointers) if isinstance(value, dict) else MASK


def unmasked(text: str, asked: str, pointers: Pointers, limits: Limits = LIMITS) -> str:
    """The text with what each mask stands for: the value at the same pointer in ``asked``, byte for byte.

    A mask at a pointer that is not secret, or where nothing was asked, is text like any other.
    Raises: as ``json_text.parse``.
    """
    parse(text, limits)
    were = places(asked, pointers)
    pieces, at = [], 0
    for (start, end), pointer in sorted((place, pointer) for pointer, place in places(text, pointers).items()):
        if start >= at and pointer in were and json.loads(text[start:end]) == MASK:
            pieces += [text[at:start], asked[slice(*were[pointer])]]
            at = end
    return "".join([*pieces, text[at:]])


def values(text: str, pointers: Pointers) -> dict[str, str]:
    """The exact JSON text of the value at each pointer; pointers to nothing are left out."""
    return {pointer: text[start:end] for pointer, (start, end) in places(text, pointers).items()}


def places(text: str, pointers: Pointers) -> dict[str, tuple[int, int]]:
    """Start and end of each secret value, by its pointer; pointers to nothing are left out.

    What is no object though the way to a secret leads through it, as when a
    model wraps one in a list, is a secret value as a whole.
    """
    found = (_place(text, pointer) for pointer in pointers)
    return dict(one for one in found if one is not None)


def _place(text: str, pointer: str) -> tuple[str, tuple[int, int]] | None:
    path = json_pointer.to_path(pointer)
    for length in range(len(path) + 1):
        upto = json_pointer.from_path(path[:length])
        place = place_of(text, upto)
        if place is None:
            return None
        if length == len(path) or text[place[0]] != "{":
            return upto, place
    return None


def secret_of(pointer: str, pointers: Pointers) -> str | None:
    """The secret place that ``pointer`` is, or lies in; the outermost one."""
    around = [secret for secret in pointers if pointer == secret or pointer.startswith(f"{secret}/")]
    return min(around, key=len, default=None)


def masked_change(change: Change, pointers: Pointers) -> Change:
    """The change as it looks when both documents are masked; it stays a change."""
    secret = secret_of(change.pointer, pointers)
    if secret is not None:
        both = (text and MASK_JSON for text in (change.before, change.after))
    else:
        start = f"{change.pointer}/"
        within = [one.removeprefix(change.pointer) for one in pointers if one.startswith(start)]
        both = (text and masked(text, within) for text in (change.before, change.after))
    before, after = both
    return replace(change, pointer=secret or change.pointer, before=before, after=after)


def told(findings: Sequence[Finding], pointers: Pointers) -> list[Finding]:
    """The findings without what they say about a secret value but that there is something, once for each check."""
    return list(dict.fromkeys(_told(finding, pointers) for finding in findings if not _is_known(finding, pointers)))


def _is_known(finding: Finding, pointers: Pointers) -> bool:
    return finding.code == "secret" and secret_of(finding.path, pointers) is not None


def _told(finding: Finding, pointers: Pointers) -> Finding:
    secret = secret_of(finding.path, pointers)
    return finding if secret is None else Finding(finding.code, secret, _WORDS.get(finding.code, _FOUND))


def _flaw(pointer: object, schema: Any) -> str | None:
    if not isinstance(pointer, str):
        return "must be text"
    try:
        path = json_pointer.to_path(pointer)
    except ValueError as error:
        return str(error)
    if not path:
        return "the whole of the arguments cannot be secret: name its members"
    for step in path:
        schema = schema if isinstance(schema, Mapping) else {}
        properties = schema.get("properties") or {}
        # RFC 6901 knows no wildcard: * and - would be names of members, and hide nothing.
        if "items" in schema or (step not in properties and (step.isdecimal() or step in {"*", "-"})):
            return "items of a list change their places: name the list itself to hide all of it"
        if properties and step not in properties:
            return f"the schema has no argument {step!r} there"
        schema = properties.get(step)
    return None
