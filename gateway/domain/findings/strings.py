"""Every text in the arguments, with its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.domain import json_pointer
from gateway.domain.json_text import LiteralValue


@dataclass(frozen=True, slots=True)
class Text:
    """A string value, or a key (at the pointer of what it names)."""

    pointer: str
    value: str
    name: str = ""  #: the nearest key above it
    is_key: bool = False


def texts_of(details: LiteralValue) -> Iterator[Text]:
    """The keys and the string values of the document, in its order."""
    return _texts(details, (), "")


def _texts(value: LiteralValue, path: tuple[str | int, ...], name: str) -> Iterator[Text]:
    match value:
        case str():
            yield Text(json_pointer.from_path(path), value, name)
        case dict():
            for key, item in value.items():
                place = (*path, key)
                yield Text(json_pointer.from_path(place), key, key, is_key=True)
                yield from _texts(item, place, key)
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*path, index), name)
        case _:
            return
