"""The tools of this gateway, to read."""

import json

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.web.state import gateway_of
from reviewer_ui.access import Person
from reviewer_ui.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/tools")
def show(request: Request, _person: Person) -> Response:
    """Every registered tool, how its calls are gated and what arguments it takes."""
    tools = [
        (definition, json.dumps(json.loads(definition.schema_text), ensure_ascii=False, indent=2))
        for definition in gateway_of(request).tools.definitions()
    ]
    return page(request, "tools.html", tools=tools)
