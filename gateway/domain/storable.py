"""Text from outside in the form in which both databases can keep it."""


def storable(text: str) -> str:
    """``text`` with NUL and lone surrogates shown as U+FFFD and ``?``: PostgreSQL refuses the one, UTF-8 the other."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
