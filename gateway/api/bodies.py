"""Bodies that clients send: strict JSON first, then a model that knows every field."""

import json
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from gateway.domain import json_pointer
from gateway.domain.json_text import Limits, members
from gateway.domain.moment import read_rfc3339
from gateway.errors import InvalidRequest, NotAvailable

Body = TypeVar("Body", bound="ClientBody")

_UNKNOWN_FIELD = "extra_forbidden"


class ClientBody(BaseModel):
    """A body, or a part of one: nothing is coerced, and nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid", strict=True)


def read_members(raw: bytes, limits: Limits) -> dict[str, str]:
    """The exact text of each member of a JSON object. Raises: InvalidJson; TooLarge."""
    return members(raw, limits)


def parse_as(model: type[Body], raw: bytes) -> Body:
    """The body, which ``read_members`` has found to be strict JSON. Raises: InvalidRequest with every bad place."""
    return validated(model, json.loads(raw))


def validated(model: type[Body], value: object) -> Body:
    """Raises: InvalidRequest with every bad place."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid([_place(entry) for entry in error.errors(include_url=False, include_input=False)]) from None


def invalid(places: list[dict[str, str]]) -> InvalidRequest:
    """The refusal that names these places: ``pointer`` (RFC 6901) and ``message`` each."""
    first = places[0]
    return InvalidRequest(f"{first['pointer'] or 'The body'}: {first['message']}.", errors=places)


def refuse_coming(names: dict[str, str], *coming: str) -> None:
    """Raises: NotAvailable for a field that is known, but not there yet."""
    for name in coming:
        if name in names:
            raise NotAvailable(f"The field {name} is not available yet.", field=name)


def _place(entry: Any) -> dict[str, str]:
    if entry["type"] == _UNKNOWN_FIELD:
        message = "this field is not known here"
    else:
        message = str(entry["msg"]).removeprefix("Value error, ").rstrip(".")
    return {"pointer": json_pointer.from_path(entry["loc"]), "message": message}


def _is_not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _has_no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    return text


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a time like 2026-11-30T12:00:00Z")
    return read_rfc3339(value)


#: A time, in UTC from here on.
Rfc3339 = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
#: Text that says something.
Words = Annotated[str, AfterValidator(_is_not_blank)]
#: A value in an address; databases take no NUL.
Plain = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_has_no_nul)]
