"""JSON Pointers: how a place inside a document is written (RFC 6901)."""

import re
from collections.abc import Iterable

_BROKEN_ESCAPE = re.compile(r"~(?![01])")


def from_path(path: Iterable[str | int]) -> str:
    """The pointer to the value that ``path`` leads to; ``""`` is the whole document."""
    return "".join(f"/{_escape(step)}" for step in path)


def to_path(pointer: str) -> tuple[str, ...]:
    """The steps of the pointer; one into an array is its index in digits. Raises: ValueError with the reason."""
    if pointer and not pointer.startswith("/"):
        raise ValueError("a JSON Pointer begins with /")
    if _BROKEN_ESCAPE.search(pointer):
        raise ValueError("in a JSON Pointer ~ is written ~0 and / inside a name ~1")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _escape(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")
