"""What the OpenAPI document says beyond what the routes' signatures say."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway import __version__
from gateway.api import problems
from gateway.errors import GatewayError

Responses = dict[int | str, dict[str, Any]]

_REF = "#/components/schemas/{model}"
_PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457). Programs match on `code`.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "The same for every problem of this code"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "This one, in a sentence for people"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Each bad place: a JSON Pointer into the body, or a parameter's name",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "parameter": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}
_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An app's key (`cs_app_…`) or a personal access token (`cs_pat_…`)",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same, in another header"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "countersign",
        "description": "A signed-in browser; what changes something must come from this site's own pages",
    },
}
_DESCRIPTION = """\
Submit work for a Mistral agent, see which of its tool calls wait for a reviewer, decide them, read who decided what.

Refusals are `application/problem+json` with a stable `code`. Lists are keyset pages: send `next_cursor` back as
`cursor` for the next one. Times are RFC 3339 in UTC. `details` and what is made of it are spliced into the answers
character for character: read them with a parser that keeps numbers as they are written.
"""


def install(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """``app.openapi()`` is complete: the schemas of bodies that routes read themselves, problems, and security."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, bodies)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def json_body(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that reads its body as bytes."""
    reference = {"$ref": _REF.format(model=model.__name__)}
    content = {"application/json": {"schema": reference, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


def refusals(*kinds: type[GatewayError]) -> Responses:
    """The ``responses`` of a route that may refuse in these ways."""
    by_status: dict[int, list[type[GatewayError]]] = defaultdict(list)
    for kind in kinds:
        by_status[problems.STATUS_OF[kind]].append(kind)
    return {status: _refusal(status, listed) for status, listed in sorted(by_status.items())}


def _refusal(status: int, kinds: list[type[GatewayError]]) -> dict[str, Any]:
    examples = {kind.code: {"value": problems.document(kind(), status)} for kind in kinds}
    return {
        "description": ", ".join(dict.fromkeys(f"`{kind.code}`" for kind in kinds)),
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}, "examples": examples}},
    }


def _document(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> dict[str, Any]:
    document = get_openapi(
        title="Countersign",
        version=__version__,
        summary="A human-in-the-loop approval gateway for Mistral agents",
        description=_DESCRIPTION,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for body in bodies:
        schema = body.model_json_schema(ref_template=_REF)
        schemas.update(schema.pop("$defs", {}))
        schemas[body.__name__] = schema
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = _SECURITY_SCHEMES
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _drop_foreign_refusal(operation["responses"])
            if path.startswith("/api/"):
                operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _drop_foreign_refusal(responses: dict[str, Any]) -> None:
    """FastAPI's own 422, which our handlers never send."""
    content = responses.get("422", {}).get("content", {})
    content.pop("application/json", None)
    if "422" in responses and not content:
        del responses["422"]
