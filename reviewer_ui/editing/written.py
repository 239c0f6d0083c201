"""From a draft to the fields that a form of it would send."""

from collections.abc import Iterator

from reviewer_ui.editing.control_name import COUNT, SET, name_of
from reviewer_ui.editing.draft import Node, Path


def fields_of_draft(draft: Node) -> dict[str, str]:
    """What ``posted.read_draft`` reads as this draft."""
    return dict(_fields(draft, ()))


def _fields(node: Node, path: Path) -> Iterator[tuple[str, str]]:
    name = name_of(path)
    yield name + SET, node.kind
    if node.kind in {"object", "array"}:
        children = list(node.children())
        yield name + COUNT, str(len(children))
        for step, child in children:
            yield from _fields(child, (*path, step))
    elif node.kind != "boolean" or node.text == "true":
        yield name, node.text
