"""Where the links in a text lead."""

import re
from collections.abc import Iterator

from gateway.domain.findings.finding import Finding
from gateway.domain.findings.host import Host, read_host
from gateway.domain.findings.strings import Text
from gateway.domain.hidden_text import hidden_places
from gateway.domain.shortening import shorten

MAX_LINKS = 20  #: that are read in one text
MAX_HOST_CHARS = 100

#: Up to the path. Browsers take any number of slashes, and backslashes for slashes.
_LINK = re.compile(
    r"(?i)(?<![\w+.-])(?:https?|wss?|ftp):(?P<slashes>[/\\]*)(?P<authority>[^\s/\\?#<>\"`]{1,2000})(?P<end>\\?)"
)
_RUNNING = re.compile(r"(?i)(?<![\w+.-])(javascript|vbscript|data|file|blob):(?=\S)")


def find(text: Text) -> list[Finding]:
    """One finding for each host that the text links to, and for each kind of link that runs or reads something."""
    if ":" not in text.value:
        return []
    found = dict.fromkeys(_all_of(text))
    findings = list(found)[:MAX_LINKS]
    if len(found) > MAX_LINKS:
        message = f"Has more links; only the first {MAX_LINKS} were read."
        findings.append(Finding("not_checked", text.pointer, message))
    return findings


def _all_of(text: Text) -> Iterator[Finding]:
    kinds = dict.fromkeys(match[1].lower() for match in _RUNNING.finditer(text.value) if not text.is_key)
    for kind in kinds:
        yield Finding("suspicious_link", text.pointer, f"Has a {kind}: link, which is no address of a page.")
    for number, match in enumerate(_LINK.finditer(text.value)):
        if number > 4 * MAX_LINKS:
            yield Finding(
                "not_checked", text.pointer, f"Has very many links; those after the first {number} were not read."
            )
            return
        if host := read_host(match["authority"]):
            yield _finding(text, match, host)


def _finding(text: Text, match: re.Match[str], host: Host) -> Finding:
    doubts = list(host.doubts)
    if "\\" in match["slashes"] or match["end"]:
        doubts.append("it has a backslash, which programs read differently")
    if len(match["slashes"]) != 2:
        doubts.append("it is not written with two slashes")
    name = shorten(_in_sight(host.name), MAX_HOST_CHARS)
    if not doubts:
        return Finding("link", text.pointer, f"Links to {name}.")
    because = shorten("; ".join(map(_in_sight, doubts)), 4 * MAX_HOST_CHARS)
    return Finding("suspicious_link", text.pointer, f"Links to {name}: {because}.")


def _in_sight(text: str) -> str:
    """The text with what hides taken out: that is a finding of its own."""
    hidden = set(hidden_places(text))
    return "".join("?" if place in hidden else character for place, character in enumerate(text)) if hidden else text
