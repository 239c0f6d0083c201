"""``/api/v1/decisions``: who decided what, as a list or as an export."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway import errors
from gateway.api import decision_export
from gateway.api.answers import dump, json_answer
from gateway.api.bodies import Plain
from gateway.api.credentials import Reader
from gateway.api.decision_view import DecisionView, secrets_of, view_decision
from gateway.api.openapi import refusals
from gateway.api.queries import ListQuery
from gateway.domain.approval import Verdict
from gateway.domain.permission import Actor, AppActor
from gateway.store import decisions
from gateway.store.decisions import Filter
from gateway.usecases.gateway import Gateway
from gateway.web.state import gateway_of

Format = Literal["json", "csv", "ndjson"]

MEDIA_TYPES: dict[str, Format] = {"application/json": "json", "text/csv": "csv", "application/x-ndjson": "ndjson"}

router = APIRouter(prefix="/api/v1/decisions", tags=["decisions"])


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time of the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class DecisionList(ListQuery):
    since: Moment | None = Field(None, alias="from", description="From this time on")
    until: Moment | None = Field(None, alias="to", description="Before this time")
    action: Plain | None = None
    reviewer: Plain | None = Field(None, description="Name or id of the person")
    verdict: Verdict | None = None
    rule: Plain | None = None
    job_id: Plain | None = None
    approval_id: Plain | None = None
    q: Plain | None = Field(
        None,
        description="Words in the note, the action, the response or the edited arguments (of tools without secrets)",
    )
    format: Format | None = Field(None, description="For links, which cannot send Accept")


class DecisionPage(BaseModel):
    items: list[DecisionView]
    next_cursor: str | None


@router.get(
    "",
    summary="List or export decisions",
    responses={
        200: {
            "model": DecisionPage,
            "description": "JSON: newest first, in pages. CSV and NDJSON: everything, oldest first, streamed",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        **refusals(errors.Unauthenticated, errors.NotAllowed, errors.InvalidRequest),
    },
)
async def list_decisions(request: Request, actor: Reader, query: Annotated[DecisionList, Query()]) -> Response:
    """An app sees the decisions about its own calls, people see all. `Accept` chooses the form."""
    gateway = gateway_of(request)
    wanted = await run_in_threadpool(_filter, gateway, actor, query)
    form = query.format or wanted_format(request.headers.get("accept", ""))
    if form != "json":
        _check_unpaged(query)
    match form:
        case "json":
            return json_answer(await run_in_threadpool(_page, gateway, wanted, query.cursor, query.limit))
        case "csv":
            header = decision_export.csv_header()
            content = decision_export.stream(gateway, wanted, header, decision_export.csv_lines)
            return _download(content, "text/csv; charset=utf-8", "decisions.csv")
        case "ndjson":
            content = decision_export.stream(gateway, wanted, b"", decision_export.json_lines)
            return _download(content, "application/x-ndjson", "decisions.ndjson")


def _check_unpaged(query: DecisionList) -> None:
    """Raises: InvalidRequest for a page of an export, which is always the whole."""
    asked = query.model_fields_set & {"cursor", "limit"}
    if asked:
        reason = "belongs to the JSON form: an export has no pages"
        raise errors.InvalidRequest(
            f"The parameter {min(asked)} {reason}.",
            errors=[{"pointer": f"/{name}", "message": reason} for name in asked],
        )


def wanted_format(accept: str) -> Format:
    """The form that the caller likes best; JSON unless another one is asked for."""
    best: Format = "json"
    best_quality = 0.0
    for entry in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = _quality(parameters)
        if media_type in MEDIA_TYPES and quality > best_quality:
            best, best_quality = MEDIA_TYPES[media_type], quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _filter(gateway: Gateway, actor: Actor, query: DecisionList) -> Filter:
    return Filter(
        since=query.since,
        until=query.until,
        action=query.action,
        reviewer=query.reviewer,
        verdict=query.verdict,
        rule=query.rule,
        job_id=query.job_id,
        approval_id=query.approval_id,
        app=actor.app if isinstance(actor, AppActor) else None,
        # Until its release an approval still says pending to the app that asked.
        released_by=_now(gateway) if isinstance(actor, AppActor) else None,
        q=query.q,
    )


def _now(gateway: Gateway) -> datetime:
    with gateway.database.glance() as session:
        return gateway.database.now(session)


def _page(gateway: Gateway, wanted: Filter, cursor: str | None, limit: int) -> bytes:
    with gateway.database.read() as session:
        page = decisions.page(session, wanted, cursor=cursor, limit=limit)
        secrets = secrets_of(session, page.items)
    items = [view_decision(row, secrets.get(row.approval_id, ())) for row in page.items]
    return dump({"items": items, "next_cursor": page.next_cursor})


def _download(content: AsyncIterator[bytes], media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, media_type=media_type, headers=headers)
