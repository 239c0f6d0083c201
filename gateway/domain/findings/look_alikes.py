"""Names that can be taken for other names: scripts mixed in one word, or letters in disguise.

For identifiers, hosts and addresses, also those in prose; not for its other words. Source: Unicode Technical
Standard 39, sections 4 (confusables) and 5.2 (scripts that go together).
"""

import re
import unicodedata
from itertools import islice

from confusable_homoglyphs import categories, confusables

from gateway.domain.findings.finding import Finding
from gateway.domain.findings.strings import Text
from gateway.domain.hidden_text import hidden_places

MAX_NAME_CHARS = 100
MAX_WORDS = 20  #: that are looked at in one text

#: Written beside Latin letters in ordinary words of Chinese, Japanese and Korean.
_GOES_WITH_LATIN = frozenset({"COMMON", "INHERITED", "LATIN", "HAN", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
_ADDRESS = re.compile(r"[^\s@<>()\",;:]{1,64}@[^\s@<>()\",;:]{1,255}")
#: Not what stands in a link, which is a finding of its own.
_HOST = re.compile(r"(?<![\w/@.:-])[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}(?![\w@])")
_NAME = re.compile(r"[^\s/:]{1,100}")


def find(text: Text) -> list[Finding]:
    """One finding for a name, or for an e-mail address or a host in a text, that looks like another one."""
    if text.value.isascii():
        return []
    words = [text.value] if _NAME.fullmatch(text.value) else [*_addresses(text.value), *_hosts(text.value)]
    return [
        Finding("look_alike", text.pointer, f"{_kind(text, is_whole=word == text.value)} {reason}.")
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
    return _beyond_ascii(_ADDRESS, prose)


def _hosts(prose: str) -> list[str]:
    """The parts of hosts: a file of one script with an ending of another one is no disguise."""
    if "." not in prose:
        return []
    return [part for host in _beyond_ascii(_HOST, prose) for part in host.split(".") if not part.isascii()]


def _beyond_ascii(pattern: re.Pattern[str], prose: str) -> list[str]:
    """The first words of this form: however many plain ones stand before them, they are found."""
    found = (match[0] for match in pattern.finditer(prose) if not match[0].isascii())
    return list(islice(found, MAX_WORDS))


def _kind(text: Text, *, is_whole: bool) -> str:
    if text.is_key:
        return "The name"
    return "The value" if is_whole and "@" not in text.value else "The address"


def _script(letter: str) -> str:
    script: str = categories.alias(letter)
    return script


def _letter(letter: str) -> str:
    return f"U+{ord(letter):04X} {unicodedata.name(letter, 'WITHOUT A NAME')}"
