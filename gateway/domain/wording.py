"""Every sentence that the model is told in a tool's place. A file of the operator may replace each one."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from string import Formatter

from gateway.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class Wording:
    """Templates with ``{name}`` places; a replaced sentence may leave places out but not add new ones."""

    ran_with_edits: str = "A reviewer changed the arguments; the call ran with: {arguments}\n{result}"
    rejected: str = "Action rejected: {note}"
    rejected_without_note: str = "blocked by reviewer"
    expired: str = "Action expired: no decision was made in time. It was not executed."
    run_window_passed: str = "Action expired: it was approved, but could not be run in time. It was not executed."
    cancelled: str = "Action cancelled: not executed."
    round_limit: str = "Not executed: round limit."
    repeat_limit: str = "Not executed: limit of repeated calls."
    permission_deny: str = "Action rejected: this job may not use tools that need a reviewer."
    tool_error: str = "Error: {error}"
    unknown_tool: str = "Error: there is no tool named {name} here. It was not executed."
    invalid_arguments: str = "Error: the arguments cannot be used. {reason} It was not executed; you may call it again."
    did_not_run: str = "Error: the call did not run."
    did_not_run_with_note: str = "Error: the call did not run. {note}"
    ran_without_result: str = "The call ran, but its result was not recorded."

    def say_rejected(self, note: str | None) -> str:
        return self.rejected.format(note=note or self.rejected_without_note)

    def say_did_not_run(self, note: str | None) -> str:
        return self.did_not_run_with_note.format(note=note) if note else self.did_not_run


def replaced(wording: Wording, sentences: Mapping[str, object], source: str) -> Wording:
    """``wording`` with these sentences in it. Raises: InvalidSetting naming the sentence that cannot be used."""
    known = {field.name for field in fields(Wording)}
    changes: dict[str, str] = {}
    for name, sentence in sentences.items():
        if name not in known:
            raise InvalidSetting(f"{source}: there is no sentence called {name}; known are {', '.join(sorted(known))}.")
        if not isinstance(sentence, str):
            raise InvalidSetting(f"{source}: {name} must be text.")
        _check_places(name, sentence, getattr(wording, name), source)
        changes[name] = sentence
    return replace(wording, **changes)


def read_wording(text: str, source: PurePath) -> Wording:
    """The standard wording with the sentences of a TOML text in it. Raises: InvalidSetting."""
    try:
        sentences = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting(f"{source}: {error}.") from error
    return replaced(Wording(), sentences, str(source))


def _check_places(name: str, sentence: str, standard: str, source: str) -> None:
    allowed = _places(standard)
    try:
        used = _places(sentence)
    except ValueError as error:
        raise InvalidSetting(f"{source}: {name}: {error}.") from error
    if not used <= allowed:
        places = ", ".join(f"{{{place}}}" for place in sorted(allowed)) or "none"
        raise InvalidSetting(f"{source}: {name} uses a place it does not have; it has {places}.")


def _places(template: str) -> set[str]:
    places = set()
    for _, place, how, conversion in Formatter().parse(template):
        if how or conversion:
            # One that does not fit text would fail only when the sentence is said.
            raise ValueError(f"write {{{place}}} without a format")
        if place is not None:
            places.add(place)
    return places
