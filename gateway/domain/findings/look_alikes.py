"""Names that can be taken for other names: scripts mixed in one word, or letters in disguise.

For identifiers, hosts and addresses, not for prose. Source: Unicode Technical
Standard 39, sections 4 (confusables) and 5.2 (scripts that go together).
"""

import re
import unicodedata

from confusable_homoglyphs import categories, confusables

from gateway.domain.findings.finding import Finding
from gateway.domain.findings.strings import Text
from gateway.domain.hidden_text import hidden_places

MAX_NAME_CHARS = 100
MAX_WORDS = 20  #: that are looked at in one text

#: Written beside Latin letters in ordinary words of Chinese, Japanese and Korean.
_GOES_WITH_LATIN = frozenset({"COMMON", "INHERITED", "LATIN", "HAN", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
_ADDRESS = re.compile(r"[^\s@<>()\",;:]{1,64}@[^\s@<>()\",;:]{1,255}")
_NAME = re.compile(r"[^\s/:]{1,100}")


def find(text: Text) -> list[Finding]:
    """One finding for a name, or an e-mail address in a text, that looks like another one."""
    if text.value.isascii():
        return []
    words = [text.value] if _NAME.fullmatch(text.value) else _addresses(text.value)
    return [
        Finding("look_alike", text.pointer, f"{_kind(text, word)} {reason}.")
        for word in words
        if (reason := disguise(word))
    ][:1]


def disguise(word: str) -> str | None:
    """Why the word can be taken for another one, None if it cannot."""
    if word.isascii() or any(True for _ in hidden_places(word)):
        return None  # hidden characters are a finding of their own
    plain = unicodedata.normalize("NFKC", word)
    if plain.isascii():
        return f"is written with look-alikes of ordinary letters; it reads as “{plain}”"
    scripts = categories.unique_aliases(plain)
    if "LATIN" in scripts and scripts - _GOES_WITH_LATIN and confusables.is_dangerous(plain):
        mixed = " and ".join(sorted(script.capitalize() for script in scripts - {"COMMON", "INHERITED"}))
        odd = sorted({_letter(letter) for letter in plain if _script(letter) not in _GOES_WITH_LATIN})
        return f"mixes {mixed} letters that look alike: {', '.join(odd[:5])}"
    return None


def _addresses(prose: str) -> list[str]:
    if "@" not in prose:
        return []
    found = (match[0] for match, _ in zip(_ADDRESS.finditer(prose), range(MAX_WORDS), strict=False))
    return [address for address in found if not address.isascii()]


def _kind(text: Text, word: str) -> str:
    if text.is_key:
        return "The name"
    return "The address" if "@" in word else "The value"


def _script(letter: str) -> str:
    script: str = categories.alias(letter)
    return script


def _letter(letter: str) -> str:
    return f"U+{ord(letter):04X} {unicodedata.name(letter, 'WITHOUT A NAME')}"
