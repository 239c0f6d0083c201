"""The draft as the template draws it: one field for each value, with all that stands around its control."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.domain import json_pointer
from gateway.domain.findings.python_code import is_code
from gateway.domain.findings.strings import Text
from gateway.domain.json_text import LiteralValue, dump_literal, parse_literal
from gateway.errors import GatewayError
from reviewer_ui.arguments import indented
from reviewer_ui.code import Token, highlighted
from reviewer_ui.editing.control_name import name_of, path_of
from reviewer_ui.editing.draft import Asked, Node, Path, draft_of, in_sight, masked_value, member_shape, value_at
from reviewer_ui.editing.shape import ANYTHING, Shape
from reviewer_ui.marking import escape_hidden, has_marks

LONG_CHARS = 60  #: beyond it a text has an area of its own, so that it is seen whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str  #: JSON
    word: str  #: as it is read: without quotes where all are texts
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value. ``label`` and ``shown`` are untrusted text, and so is what was asked."""

    id: str
    name: str
    pointer: str
    label: str
    kind: str
    text: str
    words: str = ""
    description: str = ""
    shown: str | None = None  #: what the control holds, where that is not plainly seen in it
    code: list[list[Token]] | None = None  #: the lines of code, to read
    choices: list[Choice] = field(default_factory=list)
    error: str | None = None
    change: str = ""  #: "", "changed" or "added"
    was: str = ""  #: what was asked, as JSON
    is_long: bool = False
    is_required: bool = False
    is_secret: bool = False
    is_named_secret: bool = False  #: the tool says so
    can_remove: bool = False
    can_null: bool = False
    fields: list["Field"] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)  #: name and label of members that can be added
    removed: list[tuple[str, str, str]] = field(default_factory=list)  #: name, label and what was asked
    takes_more: bool = False  #: members of any name
    columns: list[str] = field(default_factory=list)  #: of an array whose items are the rows of a table
    required_columns: frozenset[str] = frozenset()

    @property
    def cells(self) -> dict[str, "Field"]:
        """The members by key."""
        return {member.label: member for member in self.fields}


def view_draft(draft: Node, shape: Shape, asked: Asked, errors: Mapping[str, str]) -> Field:
    """The fields of the whole; ``errors`` by pointer."""
    return _Viewer(asked, errors).field(draft, shape, (), "")


@dataclass(slots=True)
class _Viewer:
    asked: Asked
    errors: Mapping[str, str]
    count: int = 0

    def field(
        self, node: Node, shape: Shape, path: Path, label: str, *, required: bool = True, free: bool = False
    ) -> Field:
        self.count += 1
        node = in_sight(node)
        pointer = json_pointer.from_path(path)
        change, was = self._change(node, shape, path)
        fixed = {
            "id": f"argument-{self.count}", "name": name_of(path), "pointer": pointer, "label": label,
            "words": shape.words, "description": shape.description, "error": self.errors.get(pointer),
            "change": change, "was": was, "is_required": required, "can_remove": bool(path) and (free or not required),
        }  # fmt: skip
        match node.kind:
            case "object":
                return self._object(node, shape, path, fixed)
            case "array":
                return self._array(node, shape, path, fixed)
            case "kept":
                return self._kept(node, fixed)
            case _:
                return self._scalar(node, shape, label, fixed)

    def _object(self, node: Node, shape: Shape, path: Path, fixed: dict[str, Any]) -> Field:
        fields = [
            self.field(child, member_shape(shape, name), (*path, name), name, required=name in shape.required)
            for name, child in node.members.items()
        ]
        old = self.asked.at(path)
        before = old if isinstance(old, dict) else {}
        removed = {(*path, name): old for name, old in before.items() if name not in node.members}
        missing = [name for name in shape.properties if name not in node.members and name not in before]
        return Field(
            **fixed,
            kind="object",
            text="",
            fields=fields,
            missing=[(name_of((*path, name)), name) for name in missing],
            removed=[(name_of(place), str(place[-1]), self._masked(old, place)) for place, old in removed.items()],
            takes_more=shape.more is not None,
        )

    def _array(self, node: Node, shape: Shape, path: Path, fixed: dict[str, Any]) -> Field:
        items = [
            self.field(child, shape.items or ANYTHING, (*path, index), str(index + 1), free=True)
            for index, child in enumerate(node.items)
        ]
        return Field(
            **fixed,
            kind="array",
            text="",
            fields=items,
            columns=_columns(items, shape),
            required_columns=frozenset((shape.items or ANYTHING).required),
        )

    def _kept(self, node: Node, fixed: dict[str, Any]) -> Field:
        path = _kept_path(node.text)
        value = masked_value(self.asked.at(path), self.asked, path)
        shown = value if isinstance(value, str) else indented(value)
        is_secret = self.asked.hides(self.asked.at(path), path)
        return Field(
            **fixed,
            kind="kept",
            text=name_of(path),
            shown=shown,
            is_secret=is_secret,
            is_named_secret=self.asked.is_secret(path),
        )

    def _scalar(self, node: Node, shape: Shape, label: str, fixed: dict[str, Any]) -> Field:
        shown, code = _to_read(node, label)
        return Field(
            **fixed, kind=node.kind, text=escape_hidden(node.text) if node.kind in {"json", "choice"} else node.text,
            shown=shown, code=code, choices=_choices(node, shape) if node.kind == "choice" else [],
            is_long=len(node.text) > LONG_CHARS or "\n" in node.text,
            can_null="null" in shape.types and node.kind != "null",
        )  # fmt: skip

    def _change(self, node: Node, shape: Shape, path: Path) -> tuple[str, str]:
        if not path or node.kind in {"object", "array", "kept"}:
            return "", ""
        try:
            old = value_at(self.asked.value, path)
        except LookupError:
            return "added", ""
        before = draft_of(old, shape, self.asked, path)
        is_same = before.kind == node.kind and before.text == node.text
        return ("", "") if is_same or before.kind == "kept" else ("changed", self._masked(old, path))

    def _masked(self, value: LiteralValue, path: Path) -> str:
        return dump_literal(masked_value(value, self.asked, path))


def _columns(items: list[Field], shape: Shape) -> list[str]:
    """The schema's properties, then the other keys that items have; empty where a table cannot show all of them."""
    named = shape.items.properties if shape.items else {}
    is_table = bool(named) and all(item.kind == "object" for item in items)
    if not items or not is_table or any(cell.kind in {"object", "array"} for item in items for cell in item.fields):
        return []
    others = [cell.label for item in items for cell in item.fields]
    taken_out = [label for item in items for _, label, _ in item.removed]
    return list(dict.fromkeys([*named, *others, *taken_out]))


def _kept_path(name: str) -> Path:
    try:
        return path_of(name)
    except ValueError:
        return ("",)  # leads nowhere


def _to_read(node: Node, label: str) -> tuple[str | None, list[list[Token]] | None]:
    """The text where the control cannot mark what it hides; code in its colours."""
    text = node.text
    if node.kind == "json":
        try:
            value = parse_literal(text)
        except GatewayError:
            return None, None
        text = value if isinstance(value, str) else ""
    if node.kind in {"text", "lines", "json"} and is_code(Text("", text, label)):
        return None, highlighted(text)
    return (text, None) if has_marks(text) else (None, None)


def _choices(node: Node, shape: Shape) -> list[Choice]:
    values = [*shape.choices] if node.text in shape.choices else [node.text, *shape.choices]
    return [
        Choice(value=escape_hidden(value), word=escape_hidden(word), is_chosen=value == node.text)
        for value, word in zip(values, _words(values), strict=True)
    ]


def _words(values: list[str]) -> list[str]:
    """The texts without their quotes, if it is plain without them that all are texts and where they end."""
    texts = [parse_literal(value) for value in values]
    if all(isinstance(text, str) and text.isprintable() and text.strip() == text != "" for text in texts):
        return [str(text) for text in texts]
    return values
