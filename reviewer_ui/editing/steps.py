"""What the small buttons of the form do: a member more, a member less, null, a value again, back to what was asked."""

from collections.abc import Mapping

from gateway.errors import InvalidRequest
from reviewer_ui.editing.control_name import KEY, path_of
from reviewer_ui.editing.draft import Asked, Node, Path, draft_of, member_shape, value_at
from reviewer_ui.editing.shape import ANYTHING, Shape, first_value


def take_step(draft: Node, step: str, fields: Mapping[str, str], shape: Shape, asked: Asked) -> None:
    """The draft has changed as the button says: ``add:NAME``, ``remove:NAME``, and so on. Raises: InvalidRequest."""
    act, _, name = step.partition(":")
    try:
        path = path_of(name)
        match act:
            case "add":
                _add(draft, path, shape)
            case "add-key":
                _add_key(draft, path, fields.get(name + KEY, ""), shape)
            case "remove":
                _remove(draft, path)
            case "null":
                _replace(draft, path, Node("null"))
            case "value":
                _replace(draft, path, _new(shape_at(shape, path), path))
            case "revert":
                _revert(draft, path, shape, asked)
            case _:
                raise ValueError(act)
    except (ValueError, LookupError):
        raise InvalidRequest("This part of the arguments is not there any more: open the call again.") from None


def shape_at(shape: Shape, path: Path) -> Shape:
    for step in path:
        shape = (shape.items or ANYTHING) if "array" in shape.types else member_shape(shape, str(step))
    return shape


def _add(draft: Node, path: tuple[str, ...], shape: Shape) -> None:
    """One item more for the array at this path; or the member that it names, where there is none."""
    try:
        found = _find(draft, path)
    except LookupError:
        _find(draft, path[:-1]).members[path[-1]] = _new(shape_at(shape, path), path)
        return
    if found.kind != "array":
        raise LookupError(path)
    found.items.append(_new(shape_at(shape, (*path, 0)), (*path, len(found.items))))


def _add_key(draft: Node, path: tuple[str, ...], key: str, shape: Shape) -> None:
    found = _find(draft, path)
    if not key or key in found.members or found.kind != "object":
        raise InvalidRequest("Write the name of the new argument, one that is not there yet.", field="modified_details")
    found.members[key] = _new(member_shape(shape_at(shape, path), key), (*path, key))


def _new(shape: Shape, path: Path) -> Node:
    value = first_value(shape)
    if shape is ANYTHING or (shape.is_free and not shape.types):
        return Node("json", '""')
    return _without_numbers(draft_of(value, shape, Asked(None), path))


def _without_numbers(node: Node) -> Node:
    """The node with its numbers still to be written: a 0 that nobody wrote would be approved by oversight."""
    if node.kind == "number":
        node.text = ""
    for _, child in node.children():
        _without_numbers(child)
    return node


def _remove(draft: Node, path: tuple[str, ...]) -> None:
    above = _find(draft, path[:-1])
    if above.kind == "array":
        del above.items[int(path[-1])]
    else:
        del above.members[path[-1]]


def _replace(draft: Node, path: tuple[str, ...], node: Node) -> None:
    above = _find(draft, path[:-1])
    _find(above, path[-1:])
    if above.kind == "array":
        above.items[int(path[-1])] = node
    else:
        above.members[path[-1]] = node


def _revert(draft: Node, path: tuple[str, ...], shape: Shape, asked: Asked) -> None:
    node = draft_of(value_at(asked.value, path), shape_at(shape, path), asked, path)
    try:
        _replace(draft, path, node)
    except LookupError:
        _find(draft, path[:-1]).members[path[-1]] = node


def _find(node: Node, path: tuple[str, ...]) -> Node:
    for step in path:
        node = node.items[int(step)] if node.kind == "array" else node.members[step]
    return node
