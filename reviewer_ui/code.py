"""Code in its colours, to read: tokens of Pygments with our own escaping and marks around them."""

from dataclasses import dataclass
from functools import lru_cache

from pygments.lexers.python import PythonLexer
from pygments.token import STANDARD_TYPES

MAX_CHARS = 100_000  #: beyond it code is shown plain: a second and more would go into its colours
_CLASS_PREFIX = "hl-"


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of one line; ``look`` is a class of the style sheet, or nothing."""

    text: str
    look: str


def highlighted(code: str) -> list[list[Token]]:
    """The lines of the code, nothing left out or added. Remembered by the text: a page is opened more than once."""
    if len(code) > MAX_CHARS:
        return [[Token(line, "")] for line in code.split("\n")]
    return _highlighted(code)


@lru_cache(maxsize=64)
def _highlighted(code: str) -> list[list[Token]]:
    lines: list[list[Token]] = [[]]
    # Not the formatter of Pygments: its markup would pass by the escaping and the marks of our templates.
    for _, kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens_unprocessed(code):
        short = STANDARD_TYPES.get(kind, "")
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append(Token(part, _CLASS_PREFIX + short if short else ""))
    return lines
