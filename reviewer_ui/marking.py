"""Text that a model wrote, made safe to read: what hides or reorders it is marked in place, secrets are masked.

Escaping is the template's business; this is about characters that a browser
draws as nothing, or that make it draw the others in another order.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from gateway.domain.findings.secret_text import MASK, may_hold_secret, secret_spans
from gateway.domain.hidden_text import code_of, hidden_places, name_of

#: White space that pushes what follows out of sight.
_MANY_SPACES = 40
_LONG_SPACE = re.compile(rf"(?:[ \t\u00a0]*\n){{6,}}|[ \t\u00a0]{{{_MANY_SPACES},}}")
_SHORT = 500  # lists are full of such texts, which hide nothing: a look at each is all they cost


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to show as it is; or, with ``meaning``, a mark that stands in the place of what cannot be seen."""

    text: str
    meaning: str | None = None


def pieces(text: str) -> list[Piece]:
    """The text as what can be shown and what must be marked, in order; nothing is left out."""
    found: list[Piece] = []
    at = 0
    for start, end, mark in _marks(text):
        if at < start:
            found.append(Piece(text[at:start]))
        found.append(mark)
        if text[end - 1] == "\n":
            found.append(Piece("\n"))
        at = end
    if at < len(text):
        found.append(Piece(text[at:]))
    return found


def has_marks(text: str) -> bool:
    """True when some of the text would not be plainly seen."""
    is_short_and_plain = len(text) < _SHORT and text.isascii() and text.isprintable()
    if is_short_and_plain and not may_hold_secret(text) and " " * _MANY_SPACES not in text:
        return False
    return any(True for _ in _marks(text))


def plain(text: str) -> str:
    """The text with its marks in square brackets, for places that hold no elements (a window's title)."""
    return "".join(f"[{piece.text}]" if piece.meaning else piece.text for piece in pieces(text))


def hidden_characters(*texts: str) -> list[tuple[str, int]]:
    """Which characters the texts hide, as ``U+202E RIGHT-TO-LEFT OVERRIDE`` and how often, the most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text[place] for place in hidden_places(text))
    return [(f"{code_of(character)} {name_of(character)}", count) for character, count in counts.most_common()]


def escape_hidden(json_text: str) -> str:
    """The same JSON document with hidden characters written as ``\\u…``, so that it can be edited in plain sight."""
    # Outside of strings strict JSON has no characters that hide, except for the carriage return.
    text = json_text.replace("\r\n", "\n").replace("\r", "\n")
    places = set(hidden_places(text))
    if not places:
        return text
    return "".join(json.dumps(char)[1:-1] if place in places else char for place, char in enumerate(text))


def _marks(text: str) -> Iterator[tuple[int, int, Piece]]:
    """Start, end and mark of each stretch that is not shown as it is."""
    stretches = [(start, end, Piece(MASK, f"A secret: {kind}")) for start, end, kind in secret_spans(text)]
    stretches += [(match.start(), match.end(), _space_mark(match[0])) for match in _LONG_SPACE.finditer(text)]
    for _, run in groupby(enumerate(hidden_places(text)), key=lambda item: item[1] - item[0]):
        places = [place for _, place in run]
        start, end = places[0], places[-1] + 1
        stretches.append((start, end, _character_mark(text[start:end])))
    stretches.sort(key=lambda stretch: stretch[0])
    at = 0
    for start, end, mark in stretches:
        if start >= at:
            yield start, end, mark
            at = end


def _character_mark(run: str) -> Piece:
    codes = []
    for character, same in groupby(run):
        count = len(list(same))
        codes.append(code_of(character) if count == 1 else f"{count} times {code_of(character)}")
    names = dict.fromkeys(name_of(character) for character in run[:100])
    return Piece(", ".join(codes), ", ".join(list(names)[:10]))


def _space_mark(run: str) -> Piece:
    lines = run.count("\n")
    return Piece(f"{lines} line breaks" if lines else f"{len(run)} spaces", "White space, shortened here")
