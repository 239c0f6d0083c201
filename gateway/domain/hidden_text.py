"""Characters that a browser draws as nothing, or that make it draw the others in another order: where they stand.

The one rule of what hides. Pages mark these places, findings list them, and
forms write them as escapes.
"""

import re
import unicodedata
from collections.abc import Iterator

#: Invisible, though Unicode calls them letters, marks or symbols.
#: Source: Default_Ignorable_Code_Point of DerivedCoreProperties.txt, and three blank signs.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U00016fe4\U0001d159"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
#: Control, format, surrogate, private, unassigned, line and paragraph separator, space.
_HIDING_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_MARKS = frozenset({"Mn", "Me"})
_PLAIN = frozenset(" \n\t\u00a0")

_EMOJI_STYLE, _JOINER = "\ufe0f", "\u200d"
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
FEW = 30  # different characters: searching for more of them is slower than looking at each place
MAX_STACKED = 4  # accents on one letter: more of them paint over the lines around it

#: Control characters have no name of their own in Unicode.
_CONTROL_NAMES = {"\r": "CARRIAGE RETURN", "\x1b": "ESCAPE", "\x08": "BACKSPACE", "\x7f": "DELETE"}


def hidden_places(text: str) -> Iterator[int]:
    """The index of each character that hides something, in order."""
    if text.isascii() and text.isprintable():
        return
    suspects = {character for character in set(text) if _may_hide(character)}
    yield from (place for place in _places_of(suspects, text) if _hides_here(text, place))


def code_of(character: str) -> str:
    return f"U+{ord(character):04X}"


def name_of(character: str) -> str:
    return unicodedata.name(character, _CONTROL_NAMES.get(character, "WITHOUT A NAME"))


def _places_of(characters: set[str], text: str) -> Iterator[int]:
    if not characters:
        return
    if len(characters) > FEW:
        yield from (place for place, character in enumerate(text) if character in characters)
    else:
        yield from (found.start() for found in re.finditer(f"[{re.escape(''.join(sorted(characters)))}]", text))


def _may_hide(character: str) -> bool:
    if character in _PLAIN:
        return False
    category = unicodedata.category(character)
    return category in _HIDING_CATEGORIES or category in _MARKS or character in _BLANK


def _hides_here(text: str, place: int) -> bool:
    """Emoji need their own joiners, and letters their accents; everything else that is not seen hides."""
    character = text[place]
    before = text[place - 1] if place else ""
    if character == _EMOJI_STYLE:
        return not _is_symbol(before)
    if character == _JOINER:
        after = text[place + 1] if place + 1 < len(text) else ""
        return not (before and (_is_symbol(before) or before in _SKIN_TONES or before == _EMOJI_STYLE)) or not (
            after and _is_symbol(after)
        )
    if unicodedata.category(character) in _MARKS and character not in _BLANK:
        stack = text[max(0, place - MAX_STACKED) : place]
        return len(stack) == MAX_STACKED and all(unicodedata.category(one) in _MARKS for one in stack)
    return True


def _is_symbol(character: str) -> bool:
    return bool(character) and (
        unicodedata.category(character) == "So" or character in "#*0123456789\u203c\u2049\u2194"
    )
