"""How a tool's answer and its errors become text that can be stored and shown to the model."""

from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter

from gateway.domain import json_text
from gateway.domain.storable import storable
from gateway.errors import InvalidJson
from gateway.tools.base import Ran

MAX_RESULT_BYTES: Final = 1024 * 1024
MAX_ERROR_CHARS: Final = 2_000

_ANY: Final[TypeAdapter[Any]] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))


def ran(value: Any) -> Ran:
    """The outcome of a call that ended with ``value``: text as it is, anything else as compact JSON.

    A value that cannot be shown does not make the call fail, because it ran: the model is told so in a sentence.
    """
    text = value if isinstance(value, str) else _compact(value)
    if text is None:
        return Ran(f"The call ran, but its result of type {type(value).__name__} cannot be written as JSON.")
    if len(text) > MAX_RESULT_BYTES or len(text.encode(errors="replace")) > MAX_RESULT_BYTES:
        return too_large()
    return Ran(storable(text))


def too_large() -> Ran:
    """The outcome of a call whose result is not kept because of its size."""
    return Ran(f"The call ran, but its result is larger than {MAX_RESULT_BYTES // 1024} KiB and was not kept.")


def short(text: str) -> str:
    """``text`` fit for an error message: storable, without outer blanks, at most 2,000 characters."""
    text = storable(text).strip()
    return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + "…"


def _compact(value: Any) -> str | None:
    """JSON of the value, pydantic models, dataclasses, dates and the like included; None if it has no such form.

    Infinity stays itself (not null), so that it is refused.
    """
    try:
        return json_text.compact(_ANY.dump_python(value, mode="json"))
    except (InvalidJson, ValueError, RecursionError):
        return None
