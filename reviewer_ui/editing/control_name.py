"""The names of a form's controls: JSON Pointers, in characters that every browser sends as they are.

Beside the control of a value stand ``NAME:set`` (what kind of value is there),
``NAME:n`` (how many members it has) and ``NAME:key`` (what a new member is
to be called); so a colon in a key, like all that is not plain ASCII, is
written as ``~x3a;``.
"""

import re
from collections.abc import Mapping

from gateway.domain import json_pointer

SET, COUNT, KEY = ":set", ":n", ":key"

_SPECIAL = re.compile(r"[^ !#-9;-~]")
_CODED = re.compile(r"~x([0-9a-f]{1,6});")


def name_of(path: tuple[str | int, ...]) -> str:
    return _SPECIAL.sub(lambda found: f"~x{ord(found[0]):x};", json_pointer.from_path(path))


def path_of(name: str) -> tuple[str, ...]:
    """The keys that lead to the control's value; of indices their digits. Raises: ValueError for another name."""
    if name and not name.startswith("/"):
        raise ValueError(name)
    pointer = _CODED.sub(lambda found: chr(int(found[1], 16)), name)
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def is_of_form(name: str) -> bool:
    """True for the fields of the form that stand for arguments."""
    return name.startswith(("/", ":"))


def fields_of(form: Mapping[str, str]) -> dict[str, str]:
    """The fields of the form that stand for arguments, in their order."""
    return {name: text for name, text in form.items() if is_of_form(name)}
