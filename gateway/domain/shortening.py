"""Text that must fit: cut, and seen to be cut."""


def shorten(text: str, max_chars: int) -> str:
    """The text if it fits, else its beginning and ``…``, together ``max_chars`` long."""
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"
