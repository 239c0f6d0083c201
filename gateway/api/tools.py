"""``/api/v1/tools``: what agents can be given, and how each call of it is gated."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from gateway import errors
from gateway.api.answers import dump, json_answer, spliced
from gateway.api.credentials import Reader
from gateway.api.openapi import refusals
from gateway.api.queries import NoQuery
from gateway.tools.base import ApprovalMode, Risk, ToolDefinition, ToolKind
from gateway.web.state import gateway_of

router = APIRouter(prefix="/api/v1/tools", tags=["tools"])


class ToolView(BaseModel):
    """One registered tool."""

    name: str
    kind: ToolKind
    description: str
    parameters: dict[str, Any] = Field(description="JSON Schema of the arguments")
    title: str | None = Field(description="What the reviewer reads first", examples=["Cancel order {order_id}"])
    risk: Risk
    approval: ApprovalMode = Field(description="ask: a person decides each call; auto: it runs without a person")
    idempotent: bool
    note_required: bool
    secret: list[str] = Field(description="JSON Pointers into the arguments whose values are masked")
    timeout_s: float
    expires_after_s: float | None
    run_within_s: float | None


class ToolPage(BaseModel):
    items: list[ToolView]
    next_cursor: str | None


@router.get(
    "",
    summary="List tools",
    responses={200: {"model": ToolPage}, **refusals(errors.Unauthenticated, errors.NotAllowed, errors.InvalidRequest)},
)
async def list_tools(request: Request, _actor: Reader, _query: Annotated[NoQuery, Query()]) -> Response:
    """All of them, in the order of their registration; where a tool is reached is not shown."""
    views = [view_tool(definition) for definition in gateway_of(request).tools.definitions()]
    return json_answer(dump({"items": views, "next_cursor": None}))


def view_tool(definition: ToolDefinition) -> dict[str, Any]:
    """The tool for ``answers.dump``."""
    return {
        "name": definition.name,
        "kind": definition.kind,
        "description": definition.description,
        "parameters": spliced(definition.schema_text),
        "title": definition.title,
        "risk": definition.risk,
        "approval": definition.approval,
        "idempotent": definition.idempotent,
        "note_required": definition.note_required,
        "secret": list(definition.secret),
        "timeout_s": definition.timeout_s,
        "expires_after_s": definition.expires_after_s,
        "run_within_s": definition.run_within_s,
    }
