"""From the fields of a posted form to the draft that they hold."""

from collections.abc import Mapping
from typing import get_args

from gateway.errors import InvalidRequest
from reviewer_ui.editing.control_name import COUNT, SET, path_of
from reviewer_ui.editing.draft import Kind, Node

_KINDS = frozenset(get_args(Kind))


def read_draft(fields: Mapping[str, str]) -> Node | None:
    """The draft in the form; None if it has none. Raises: InvalidRequest for a form that is not one of ours."""
    names = [name.removesuffix(SET) for name in fields if name.endswith(SET)]
    if not names:
        return None
    nodes: dict[tuple[str, ...], Node] = {}
    for name in names:
        path, node = _path(name), _node(name, fields)
        if path:
            _put(nodes, path, node)
        nodes[path] = node
    root = nodes.get(())
    if root is None or any(len(list(nodes[_path(name)].children())) != _count(name, fields) for name in names):
        raise _incomplete()
    return root


def _node(name: str, fields: Mapping[str, str]) -> Node:
    kind = fields[name + SET]
    if kind not in _KINDS:
        raise _incomplete()
    # A box that is not ticked sends nothing.
    text = fields.get(name, "false" if kind == "boolean" else "")
    return Node(kind, text)  # type: ignore[arg-type]  # it is one of them


def _put(nodes: Mapping[tuple[str, ...], Node], path: tuple[str, ...], node: Node) -> None:
    """The node is a member of the one above it, which came before it."""
    above = nodes.get(path[:-1])
    match above and above.kind:
        case "object" if above and path[-1] not in above.members:
            above.members[path[-1]] = node
        case "array" if above and path[-1] == str(len(above.items)):
            above.items.append(node)
        case _:
            raise _incomplete()


def _count(name: str, fields: Mapping[str, str]) -> int:
    text = fields.get(name + COUNT, "0")
    return int(text) if text.isdecimal() and len(text) < 7 else -1


def _path(name: str) -> tuple[str, ...]:
    try:
        return path_of(name)
    except ValueError:
        raise _incomplete() from None


def _incomplete() -> InvalidRequest:
    return InvalidRequest("The form of the arguments came incomplete: open the call again.")
