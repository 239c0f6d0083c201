"""What a form sends, from our own pages only."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from gateway.errors import InvalidRequest
from gateway.web.same_origin import require_same_origin
from gateway.web.state import gateway_of, site_of

MAX_FIELDS = 2000  # the arguments' form has at most four for each of its values
#: A text field beside the arguments is never longer than this.
MIN_FIELD_BYTES = 1024 * 1024


async def posted_form(request: Request) -> dict[str, str]:
    """The fields by name, with line breaks as ``\\n`` however the browser sent them.

    ``Form()`` would turn "" into None, and an empty text is not no text. Every
    route that takes a form takes it from here, so none is open to other sites.
    Raises: CrossSite; InvalidRequest for a field that comes twice.
    """
    require_same_origin(request, site_of(request))
    limit = max(MIN_FIELD_BYTES, 4 * gateway_of(request).policy.limits.max_bytes)
    fields: dict[str, str] = {}
    async with request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=limit) as data:
        for name, value in data.multi_items():
            if name in fields or not isinstance(value, str):
                raise InvalidRequest(f"The form's field {name!r} was sent twice or is not text.")
            fields[name] = value.replace("\r\n", "\n").replace("\r", "\n")
    return fields


PostedForm = Annotated[dict[str, str], Depends(posted_form)]
