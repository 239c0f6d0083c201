"""JSON Pointers: how a place inside a document is written (RFC 6901)."""

from collections.abc import Iterable


def from_path(path: Iterable[str | int]) -> str:
    """The pointer to the value that ``path`` leads to; ``""`` is the whole document."""
    return "".join(f"/{_escape(step)}" for step in path)


def _escape(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")
