"""What lists and single things can be asked with; nothing unknown is taken."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.api.bodies import Plain
from gateway.api.waiting import MAX_WAIT_S
from gateway.errors import NotAvailable
from gateway.store.pages import DEFAULT_LIMIT, MAX_LIMIT

Item = TypeVar("Item")


class ListQuery(BaseModel):
    """Which part of a list is wanted. ``not_yet`` are parameters that are known, but not there yet."""

    model_config = ConfigDict(extra="forbid")

    not_yet: ClassVar[frozenset[str]] = frozenset()

    cursor: Plain | None = Field(None, description="The next_cursor of the page before")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)

    @model_validator(mode="before")
    @classmethod
    def _refuse_not_yet(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in cls.not_yet & values.keys():
            raise NotAvailable(f"The parameter {name} is not available yet.", field=name)
        return values


class WaitQuery(BaseModel):
    """Whether to wait for a change."""

    model_config = ConfigDict(extra="forbid")

    wait: int | None = Field(
        None,
        ge=0,
        le=int(MAX_WAIT_S),
        description="Seconds. With If-None-Match: until it is another version; without: until it is final",
    )


class NoQuery(BaseModel):
    """This route takes no parameters."""

    model_config = ConfigDict(extra="forbid")


Wait = Annotated[WaitQuery, Query()]


def _split(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [part for item in value for part in (item.split(",") if isinstance(item, str) else [item]) if part]
    return value


#: A parameter that may be repeated, or hold several values with commas between them.
Several = Annotated[list[Item], BeforeValidator(_split)]
