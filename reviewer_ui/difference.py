"""Two texts line by line: what went, what came, what stayed."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MAX_LINES = 5000  # beyond it the two texts are shown one after the other: comparing takes the square of the lines


@dataclass(frozen=True, slots=True)
class Line:
    kind: Literal["same", "removed", "added"]
    text: str


def difference(before: str, after: str) -> list[Line]:
    """Every line of both texts, those they share once."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > MAX_LINES:
        return [*(Line("removed", text) for text in old), *(Line("added", text) for text in new)]
    lines: list[Line] = []
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += [Line("same", text) for text in old[old_from:old_to]]
        else:
            lines += [Line("removed", text) for text in old[old_from:old_to]]
            lines += [Line("added", text) for text in new[new_from:new_to]]
    return lines
