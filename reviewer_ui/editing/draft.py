"""The arguments while somebody edits them: a tree of what stands in each control, right or wrong."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from gateway.domain import json_pointer
from gateway.domain.findings.secret_text import MASK, masked
from gateway.domain.hidden_text import hidden_places
from gateway.domain.json_text import Limits, LiteralValue, Number, dump_literal, parse_literal
from gateway.domain.secret_places import Pointers
from gateway.errors import GatewayError, InvalidDetails
from reviewer_ui.editing.control_name import name_of, path_of
from reviewer_ui.editing.shape import ANYTHING, MAX_DEPTH, Shape
from reviewer_ui.marking import escape_hidden

Kind = Literal["text", "lines", "number", "boolean", "choice", "json", "null", "kept", "object", "array"]
Path = tuple[str | int, ...]
Wrong = Callable[[str], None]

MAX_NODES = 400  #: of more of them there is no form, only JSON

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


@dataclass(slots=True)
class Node:
    """One value: the text in its control, or its members.

    ``lines`` is a text whose lines end in CR and LF, which a form sends as LF
    alone. ``kept`` is a value that the form does not hold: ``text`` names its
    place in the arguments that were asked. ``choice`` and ``json`` hold JSON.
    """

    kind: Kind
    text: str = ""
    members: dict[str, "Node"] = field(default_factory=dict)
    items: list["Node"] = field(default_factory=list)

    def children(self) -> Iterator[tuple[str | int, "Node"]]:
        yield from self.members.items()
        yield from enumerate(self.items)

    def count(self) -> int:
        return 1 + sum(child.count() for _, child in self.children())


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments that were asked, the places of their secrets, and which of them may be shown, if any."""

    value: LiteralValue
    secrets: Pointers = ()
    revealed: str | None = None

    def at(self, path: Path) -> LiteralValue:
        """None where there is nothing."""
        try:
            return value_at(self.value, path)
        except LookupError:
            return None

    def hides(self, value: LiteralValue, path: Path) -> bool:
        """True for a secret that is still the asked one: what a reviewer typed is not hidden from them."""
        if value != self.at(path) or self.revealed == json_pointer.from_path(path):
            return False
        return self.is_secret(path) or (isinstance(value, str) and masked(value) != value)

    def is_secret(self, path: Path) -> bool:
        """True for a place that the tool calls secret, where something was asked (see ``secret_places.places``)."""
        pointer = json_pointer.from_path(path)
        is_on_the_way = any(one.startswith(f"{pointer}/") for one in self.secrets)
        if pointer not in self.secrets and not is_on_the_way:
            return False
        try:
            value = value_at(self.value, path)
        except LookupError:
            return False
        return pointer in self.secrets or not isinstance(value, dict)


def draft_of(value: LiteralValue, shape: Shape, asked: Asked, path: Path = ()) -> Node:
    """The tree of this value as it is."""
    if asked.hides(value, path) or (shape.is_fixed and value == asked.at(path)):
        return Node("kept", name_of(path))
    if isinstance(value, dict) and len(path) < MAX_DEPTH and not (path and _is_free(shape)):
        members = {
            name: draft_of(item, member_shape(shape, name), asked, (*path, name)) for name, item in value.items()
        }
        return Node("object", members=members)
    if isinstance(value, list) and path and not _is_free(shape) and _is_plain_list(value, len(path)):
        items = [draft_of(item, shape.items or ANYTHING, asked, (*path, n)) for n, item in enumerate(value)]
        return Node("array", items=items)
    if isinstance(value, dict | list) or not shape.takes(value):
        return _as_json(masked_value(value, asked, path))
    return _scalar(value, shape)


def in_sight(node: Node) -> Node:
    """The node as JSON if its control would hold characters that nobody sees, however they came there."""
    if node.kind not in {"text", "lines", "number"} or not any(True for _ in hidden_places(node.text)):
        return node
    return _as_json(node.text.replace("\n", "\r\n") if node.kind == "lines" else node.text)


def reveal_in(draft: Node, asked: Asked) -> None:
    """What the draft keeps of the revealed place is in a control, to be read and changed."""
    for step, child in list(draft.children()):
        if child.kind == "kept" and asked.revealed == _kept_pointer(child):
            shown = _scalar(asked.at(path_of(child.text)), ANYTHING)
            if draft.kind == "array":
                draft.items[int(step)] = shown
            else:
                draft.members[str(step)] = shown
        else:
            reveal_in(child, asked)


def _kept_pointer(node: Node) -> str | None:
    try:
        return json_pointer.from_path(path_of(node.text))
    except ValueError:
        return None


def member_shape(shape: Shape, name: str) -> Shape:
    return shape.properties.get(name) or shape.more or ANYTHING


def value_of(draft: Node, asked: Asked, limits: Limits) -> LiteralValue:
    """The arguments that the draft means. Raises: InvalidDetails with one entry for each control that is wrong."""
    errors: list[dict[str, str]] = []
    value = _value(draft, (), asked, limits, errors)
    if errors:
        raise InvalidDetails(errors=errors)
    return value


def value_at(value: LiteralValue, path: Path) -> LiteralValue:
    """The value that the path leads to. Raises: LookupError."""
    for step in path:
        match value:
            case dict():
                value = value[str(step)]
            case list():
                value = value[int(step) if str(step).isdecimal() else len(value)]
            case _:
                raise LookupError(step)
    return value


def masked_value(value: LiteralValue, asked: Asked, path: Path = ()) -> LiteralValue:
    """The value with a mask in the place of each secret."""
    if asked.is_secret(path) and asked.hides(value, path):
        return MASK
    match value:
        case str():
            return masked(value) if asked.hides(value, path) else value
        case dict():
            return {name: masked_value(item, asked, (*path, name)) for name, item in value.items()}
        case list():
            return [masked_value(item, asked, (*path, index)) for index, item in enumerate(value)]
        case _:
            return value


def unmasked(value: LiteralValue, asked: Asked, path: Path, errors: list[dict[str, str]]) -> LiteralValue:
    """The value with what each mask stands for: what was asked at the same place."""
    old = asked.at(path)
    if value == MASK and asked.is_secret(path):
        return old
    match value, old:
        case str(), str() if value == masked(old):
            return old
        case str(), _ if MASK in value and not (isinstance(old, str) and MASK in old):
            message = f"{MASK} stands for a secret that was asked at another place. Reveal it there to use it here."
            errors.append({"pointer": json_pointer.from_path(path), "message": message})
        case dict(), _:
            return {name: unmasked(item, asked, (*path, name), errors) for name, item in value.items()}
        case list(), _:
            return [unmasked(item, asked, (*path, index), errors) for index, item in enumerate(value)]
    return value


def _is_free(shape: Shape) -> bool:
    return shape.is_free and shape is not ANYTHING and bool(shape.types or shape.words)


def _is_plain_list(values: list[LiteralValue], depth: int) -> bool:
    """True for an array of scalars, or of objects of scalars."""
    return depth < MAX_DEPTH and all(
        not isinstance(one, list)
        and (not isinstance(one, dict) or not any(isinstance(item, dict | list) for item in one.values()))
        for one in values
    )


def _scalar(value: LiteralValue, shape: Shape) -> Node:
    if shape.choices and value is not None:
        return Node("choice", escape_hidden(dump_literal(value)))
    match value:
        case None:
            return Node("null")
        case bool():
            return Node("boolean", "true" if value else "false")
        case Number():
            return Node("number", value.literal)
        case str():
            return _text(value)
        case _:
            return _as_json(value)


def _text(value: str) -> Node:
    as_lines = value.replace("\r\n", "\n")
    if any(True for _ in hidden_places(as_lines)):
        # A control cannot mark what it holds: as JSON the characters are escapes in plain sight.
        return _as_json(value)
    if as_lines == value:
        return Node("text", value)
    # Lines of both sorts could not be told apart when they come back.
    return Node("lines", as_lines) if as_lines.replace("\n", "\r\n") == value else _as_json(value)


def _as_json(value: LiteralValue) -> Node:
    return Node("json", escape_hidden(dump_literal(value)))


def _value(node: Node, path: Path, asked: Asked, limits: Limits, errors: list[dict[str, str]]) -> LiteralValue:
    match node.kind:
        case "object":
            return {name: _value(child, (*path, name), asked, limits, errors) for name, child in node.members.items()}
        case "array":
            return [_value(child, (*path, index), asked, limits, errors) for index, child in enumerate(node.items)]
        case "choice" | "json":
            return _json(node.text, path, asked, limits, errors)
        case _:
            return _plain_value(
                node,
                path,
                asked,
                lambda message: errors.append({"pointer": json_pointer.from_path(path), "message": message}),
            )


def _plain_value(node: Node, path: Path, asked: Asked, wrong: Wrong) -> LiteralValue:
    match node.kind:
        case "text":
            return node.text
        case "lines":
            return node.text.replace("\n", "\r\n")
        case "boolean":
            return node.text == "true"
        case "number":
            return _number(node.text, wrong)
        case "kept":
            return _kept(node.text, path, asked.value, wrong)
        case _:
            return None


def _number(text: str, wrong: Wrong) -> LiteralValue:
    literal = text.strip()
    if not _NUMBER.fullmatch(literal):
        is_comma = re.fullmatch(r"-?[0-9]+,[0-9]+", literal)
        wrong(
            f"Write a decimal point: {literal.replace(',', '.')}." if is_comma else "Write a number, like 12 or 1.50."
        )
    return Number(literal)


def _kept(name: str, path: Path, asked: LiteralValue, wrong: Wrong) -> LiteralValue:
    try:
        kept = path_of(name)
        # Elsewhere it would be shown: what a page keeps may be a secret.
        if _is_same_place(path, kept):
            return value_at(asked, kept)
    except (LookupError, ValueError):
        pass
    wrong("What was kept here is no longer among the arguments.")
    return None


def _is_same_place(path: Path, kept: tuple[str, ...]) -> bool:
    """True for the same place, or that of another item of the same list: those change their places."""
    return len(path) == len(kept) and all(
        was.isdecimal() if isinstance(step, int) else step == was for step, was in zip(path, kept, strict=True)
    )


def _json(text: str, path: Path, asked: Asked, limits: Limits, errors: list[dict[str, str]]) -> LiteralValue:
    try:
        value = parse_literal(text, limits)
    except GatewayError as error:
        errors.append({"pointer": json_pointer.from_path(path), "message": error.message})
        return None
    return unmasked(value, asked, path, errors)
