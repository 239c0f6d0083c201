"""HTTP headers whose values live outside the tools file: ``env:NAME`` or ``file:PATH``."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: A header's name. Source: RFC 9110, section 5.6.2.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What a header's value may not hold. Source: RFC 9110, section 5.5.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: The gateway makes these itself.
_RESERVED: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "idempotency-key", "transfer-encoding"}
)


class NoHeaderValue(Exception):
    """A header's value could not be had; the message names the header and the place, never a value."""


def check_headers(headers: Mapping[str, str]) -> str | None:
    """The sentence that says why these headers cannot be used, or None. No value is looked up."""
    for name, source in headers.items():
        if not _TOKEN.fullmatch(name):
            return f"{name!r} is not the name of a header"
        if name.lower() in _RESERVED:
            return f"{name} is set by the gateway"
        kind, _, place = source.partition(":")
        if kind == "file" and place:
            continue
        if kind != "env" or not _VARIABLE.fullmatch(place):
            # The value is not repeated: it may be a secret that someone pasted.
            return f"the value of {name} must be env:NAME or file:PATH"
    return None


def resolve_headers(headers: Mapping[str, str]) -> dict[str, bytes]:
    """Every header with its value as of now. Raises: NoHeaderValue if one is missing or cannot be sent."""
    return {name: _value(name, source) for name, source in headers.items()}


def missing_values(headers: Mapping[str, str]) -> list[str]:
    """One sentence for each header whose value cannot be had now; it names the header and the place, never a value."""
    sentences = []
    for name, source in headers.items():
        try:
            _value(name, source)
        except NoHeaderValue as error:
            sentences.append(str(error))
    return sentences


def _value(name: str, source: str) -> bytes:
    kind, _, place = source.partition(":")
    value = _from_environment(name, place) if kind == "env" else _from_file(name, place)
    if not value or _CONTROL.search(value):
        raise NoHeaderValue(f"The header {name} has no usable value in {source}.")
    return value.encode()


def _from_environment(name: str, variable: str) -> str:
    if variable not in os.environ:
        raise NoHeaderValue(f"The header {name} needs the environment variable {variable}, which is not set.")
    return os.environ[variable].strip()


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise NoHeaderValue(f"The header {name} needs the file {path}, which cannot be read.") from None
