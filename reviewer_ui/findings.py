"""What was found of a call, as the review page lists it."""

import json
from dataclasses import dataclass

from gateway.domain.findings import hidden_characters
from gateway.domain.findings.finding import INFORMING
from gateway.domain.findings.strings import Text

MAX_SHOWN = 100

#: Code of a warning: its heading, its icon, how grave it looks; those that only inform look so.
_LOOKS = {
    "hidden_characters": ("Hidden characters", "triangle-alert", "bad"),
    "look_alike": ("Look-alike", "triangle-alert", "bad"),
    "suspicious_link": ("Link", "triangle-alert", "bad"),
    "link": ("Link", "arrow-right", "info"),
    "secret": ("Secret", "shield-alert", "warn"),
    "schema_mismatch": ("Does not fit the schema", "triangle-alert", "warn"),
    "code_imports": ("Imports", "wrench", "info"),
    "code_network": ("Network", "triangle-alert", "warn"),
    "code_process": ("Processes", "triangle-alert", "warn"),
    "code_files": ("Files", "triangle-alert", "warn"),
    "code_dynamic": ("Code made at run time", "triangle-alert", "warn"),
    "repeated_call": ("Asked again", "undo-2", "warn"),
    "similar_call": ("Asked in another form", "undo-2", "warn"),
    "finished_late": ("It ended otherwise", "triangle-alert", "bad"),
    "tool_changed": ("The tool changed", "triangle-alert", "warn"),
    "arguments_not_text": ("Sent as an object", "circle-help", "info"),
    "not_checked": ("Not checked", "circle-help", "warn"),
}
_OTHER = ("To be read", "triangle-alert", "warn")
_ORDER = ("bad", "warn", "info")


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding. ``path`` and ``message`` are untrusted text."""

    code: str
    heading: str
    icon: str
    look: str  #: bad | warn | info
    path: str
    message: str

    @property
    def is_grave(self) -> bool:
        """True for what is to be read before deciding."""
        return self.code not in INFORMING


def shown_findings(warnings: str, raw_details: str | None) -> list[Shown]:
    """The approval's warnings, the gravest first; and what a text hides that could not be taken as arguments."""
    found = json.loads(warnings)[: MAX_SHOWN + 1]
    found += [one.as_json() for one in hidden_characters.find(Text("", raw_details or ""))]
    shown = [Shown(one["code"], *_LOOKS.get(one["code"], _OTHER), one["path"], one["message"]) for one in found]
    return sorted(shown, key=lambda one: _ORDER.index(one.look))


def count_grave(warnings: str) -> int:
    """How many of the approval's warnings are to be read before deciding."""
    if warnings == "[]":
        return 0
    return sum(one["code"] not in INFORMING for one in json.loads(warnings)[: MAX_SHOWN + 1])
