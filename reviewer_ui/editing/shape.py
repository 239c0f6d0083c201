"""What a JSON Schema says of one value, as far as a form needs it: labels, choices, what can be added.

The values themselves say which control they get; what a schema says beyond
this subset is left to the validator.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.json_schema import SCHEMA_LIMITS
from gateway.domain.json_text import LiteralValue, Number, compact, parse_literal
from gateway.errors import GatewayError

MAX_DEPTH = 3  #: of objects with fields of their own
MAX_REFERENCES = 10

_TYPES = ("string", "number", "integer", "boolean", "null", "array", "object")
_FREE = ("$ref", "oneOf", "allOf", "not", "if", "patternProperties", "prefixItems", "dependentSchemas")


@dataclass(frozen=True, slots=True)
class Shape:
    """``types`` is empty where anything goes."""

    types: frozenset[str] = frozenset()
    is_free: bool = True  #: beyond the subset: edited as JSON
    is_fixed: bool = False
    format: str = ""
    description: str = ""
    choices: tuple[str, ...] = ()  #: each as JSON
    properties: dict[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    more: "Shape | None" = None  #: of members that the schema does not name; None: there may be none
    items: "Shape | None" = None

    @property
    def words(self) -> str:
        """What kind of value it wants, for people."""
        kind = "one of a list" if self.choices else " or ".join(one for one in _TYPES if one in self.types)
        return " · ".join(filter(None, [kind, self.format]))

    def takes(self, value: LiteralValue) -> bool:
        """True unless the schema wants another type."""
        return not self.types or bool(_types_of(value) & self.types)


ANYTHING = Shape()


def shape_of(schema_text: str | None) -> Shape:
    """The shape of the whole. A schema that cannot be read is the shape of anything."""
    try:
        schema = json.loads(schema_text or "{}")
        return _shape(schema, schema, MAX_DEPTH)
    except (ValueError, RecursionError):
        return ANYTHING


def first_value(shape: Shape) -> LiteralValue:
    """The value that a new field begins with: the least one of its type."""
    if shape.choices:
        try:
            return parse_literal(shape.choices[0])
        except GatewayError:
            return ""
    least: dict[str, LiteralValue] = {
        "string": "", "number": Number("0"), "integer": Number("0"), "boolean": False, "array": [], "object": {},
    }  # fmt: skip
    for kind, value in least.items():
        if kind in shape.types:
            return (
                {name: first_value(shape.properties[name]) for name in shape.properties if name in shape.required}
                if (kind == "object")
                else value
            )
    return "" if not shape.types else None


def _shape(schema: Any, root: Any, depth: int) -> Shape:
    schema, is_null_too = _without_null(_resolved(schema, root))
    if not isinstance(schema, dict):
        return ANYTHING
    types = _named_types(schema.get("type")) | ({"null"} if is_null_too else frozenset())
    is_free = any(word in schema for word in (*_FREE, "anyOf")) or (not types and "enum" not in schema)
    properties = schema.get("properties")
    return Shape(
        types=frozenset(types) if schema.get("type") is not None else frozenset(),
        is_free=is_free or ("object" in types and depth <= 0),
        is_fixed="const" in schema or schema.get("readOnly") is True,
        format=_text(schema.get("format")),
        description=_text(schema.get("description")),
        choices=tuple(_choices(schema.get("enum"))),
        properties={
            name: _shape(member, root, depth - 1)
            for name, member in (properties.items() if isinstance(properties, dict) and depth > 0 else ())
        },
        required=frozenset(name for name in _list(schema.get("required")) if isinstance(name, str)),
        more=_more(schema, root, depth),
        items=_shape(schema["items"], root, depth - 1) if isinstance(schema.get("items"), dict) else None,
    )


def _more(schema: dict[str, Any], root: Any, depth: int) -> Shape | None:
    more = schema.get("additionalProperties", True)
    if more is False:
        return None
    return _shape(more, root, depth - 1) if isinstance(more, dict) and depth > 0 else ANYTHING


def _resolved(schema: Any, root: Any) -> Any:
    """The schema that a chain of references inside the document ends at."""
    for _ in range(MAX_REFERENCES):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found = root
        for step in reference[2:].split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        schema = (
            {**found, **{word: said for word, said in schema.items() if word != "$ref"}}
            if isinstance(found, dict)
            else {}
        )
    return {}


def _without_null(schema: Any) -> tuple[Any, bool]:
    """``anyOf`` of one schema and null as that schema; and whether null is allowed by it."""
    if not isinstance(schema, dict) or not isinstance(schema.get("anyOf"), list):
        return schema, False
    others = [one for one in schema["anyOf"] if not (isinstance(one, dict) and one.get("type") == "null")]
    if len(others) != 1 or len(schema["anyOf"]) != 2 or not isinstance(others[0], dict):
        return schema, False
    return {**{word: said for word, said in schema.items() if word != "anyOf"}, **others[0]}, True


def _named_types(given: Any) -> frozenset[str]:
    return frozenset(name for name in ([given] if isinstance(given, str) else _list(given)) if name in _TYPES)


def _types_of(value: LiteralValue) -> frozenset[str]:
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case Number():
            return frozenset({"number", "integer"})
        case str():
            return frozenset({"string"})
        case list():
            return frozenset({"array"})
        case dict():
            return frozenset({"object"})


def _choices(given: Any) -> Iterator[str]:
    for one in _list(given)[:200]:
        try:
            yield compact(one)
        except GatewayError:
            continue


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _text(given: Any) -> str:
    return given if isinstance(given, str) else ""


__all__ = ["ANYTHING", "MAX_DEPTH", "SCHEMA_LIMITS", "Shape", "first_value", "shape_of"]
