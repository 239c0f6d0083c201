"""Text that a model wrote, made safe to read: what hides or reorders it is marked in place.

Escaping is the template's business; this is about characters that a browser
draws as nothing, or that make it draw the others in another order.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

#: Invisible, though Unicode calls them letters, marks or symbols.
#: Source: Default_Ignorable_Code_Point of DerivedCoreProperties.txt, and three blank signs.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U00016fe4\U0001d159"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
#: Control, format, surrogate, private, unassigned, line and paragraph separator, space.
_HIDING_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_PLAIN = frozenset(" \n\t\u00a0")

_EMOJI_STYLE, _JOINER = "\ufe0f", "\u200d"
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))

#: White space that pushes what follows out of sight.
_LONG_SPACE = re.compile(r"(?:[ \t\u00a0]*\n){6,}|[ \t\u00a0]{40,}")
MAX_STACKED = 4  # accents on one letter: more of them paint over the lines around it


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


def plain(text: str) -> str:
    """The text with its marks in square brackets, for places that hold no elements (a window's title)."""
    return "".join(f"[{piece.text}]" if piece.meaning else piece.text for piece in pieces(text))


def hidden_characters(*texts: str) -> list[tuple[str, int]]:
    """Which characters the texts hide, as ``U+202E RIGHT-TO-LEFT OVERRIDE`` and how often, the most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text[place] for place in _hidden_places(text))
    return [(f"{_code(character)} {_name(character)}", count) for character, count in counts.most_common()]


def escape_hidden(json_text: str) -> str:
    """The same JSON document with hidden characters written as ``\\u…``, so that it can be edited in plain sight."""
    # Outside of strings strict JSON has no characters that hide, except for the carriage return.
    text = json_text.replace("\r\n", "\n").replace("\r", "\n")
    places = set(_hidden_places(text))
    if not places:
        return text
    return "".join(json.dumps(char)[1:-1] if place in places else char for place, char in enumerate(text))


def _marks(text: str) -> Iterator[tuple[int, int, Piece]]:
    """Start, end and mark of each stretch that is not shown as it is."""
    stretches = [(match.start(), match.end(), _space_mark(match[0])) for match in _LONG_SPACE.finditer(text)]
    for _, run in groupby(enumerate(_hidden_places(text)), key=lambda item: item[1] - item[0]):
        places = [place for _, place in run]
        start, end = places[0], places[-1] + 1
        stretches.append((start, end, _character_mark(text[start:end])))
    return iter(sorted(stretches, key=lambda stretch: stretch[0]))


def _hidden_places(text: str) -> Iterator[int]:
    suspects = {character for character in set(text) if _may_hide(character)}
    if suspects:
        yield from (place for place, character in enumerate(text) if character in suspects and _hides_here(text, place))


def _may_hide(character: str) -> bool:
    if character in _PLAIN:
        return False
    category = unicodedata.category(character)
    return category in _HIDING_CATEGORIES or category in {"Mn", "Me"} or character in _BLANK


def _hides_here(text: str, place: int) -> bool:
    """Emoji need their own joiners, and letters their accents; everything else that is not seen is marked."""
    character = text[place]
    before = text[place - 1] if place else ""
    if character == _EMOJI_STYLE:
        return not _is_symbol(before)
    if character == _JOINER:
        after = text[place + 1] if place + 1 < len(text) else ""
        return not (before and (_is_symbol(before) or before in _SKIN_TONES or before == _EMOJI_STYLE)) or not (
            after and _is_symbol(after)
        )
    if unicodedata.category(character) in {"Mn", "Me"} and character not in _BLANK:
        stack = text[max(0, place - MAX_STACKED) : place]
        return len(stack) == MAX_STACKED and all(unicodedata.category(one) in {"Mn", "Me"} for one in stack)
    return True


def _is_symbol(character: str) -> bool:
    return bool(character) and (
        unicodedata.category(character) == "So" or character in "#*0123456789\u203c\u2049\u2194"
    )


def _character_mark(run: str) -> Piece:
    codes = []
    for character, same in groupby(run):
        count = len(list(same))
        codes.append(_code(character) if count == 1 else f"{count} times {_code(character)}")
    names = dict.fromkeys(_name(character) for character in run[:100])
    return Piece(", ".join(codes), ", ".join(list(names)[:10]))


def _space_mark(run: str) -> Piece:
    lines = run.count("\n")
    return Piece(f"{lines} line breaks" if lines else f"{len(run)} spaces", "White space, shortened here")


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


#: Control characters have no name of their own in Unicode.
_CONTROL_NAMES = {"\r": "CARRIAGE RETURN", "\x1b": "ESCAPE", "\x08": "BACKSPACE", "\x7f": "DELETE"}


def _name(character: str) -> str:
    return unicodedata.name(character, _CONTROL_NAMES.get(character, "WITHOUT A NAME"))
