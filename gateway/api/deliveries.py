"""``/api/v1/webhook-deliveries``: what was sent to whom, and once more."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway import errors
from gateway.api.answers import dump, json_answer
from gateway.api.bodies import Plain
from gateway.api.credentials import Reader, Submitter
from gateway.api.openapi import refusals
from gateway.api.path_ids import DeliveryId
from gateway.api.queries import ListQuery, Several
from gateway.domain.delivery import DeliveryStatus, Target
from gateway.domain.permission import Actor, PersonActor
from gateway.store import deliveries
from gateway.store.tables import Delivery
from gateway.usecases import deliveries as usecase
from gateway.usecases.gateway import Gateway
from gateway.web.state import gateway_of

router = APIRouter(prefix="/api/v1/webhook-deliveries", tags=["webhook deliveries"])


class DeliveryList(ListQuery):
    status: Several[DeliveryStatus] = Field(default_factory=list)
    job_id: Plain | None = None
    approval_id: Plain | None = None


class DeliveryView(BaseModel):
    """One message to somebody outside."""

    id: str = Field(examples=["dlv_01kq8v2m4xw7c0r6t9b3n5h1zd"], description="The receiver's webhook-id")
    event: str = Field(examples=["job.succeeded"])
    status: DeliveryStatus
    target: Target = Field(description="callback: an address that an app gave; notify: the reviewers")
    form: str = Field(examples=["standard"])
    url: str | None = Field(description="null: the address of the installation's setting")
    app: str | None
    job_id: str | None
    approval_id: str | None
    attempts: int = Field(description="Begun so far")
    next_attempt_at: datetime | None = Field(description="null unless it is pending")
    last_status: int | None = Field(description="The receiver's last HTTP status", examples=[503])
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveryPage(BaseModel):
    items: list[DeliveryView]
    next_cursor: str | None


@router.get(
    "",
    summary="List webhook deliveries, newest first",
    responses={
        200: {"model": DeliveryPage},
        **refusals(errors.Unauthenticated, errors.NotAllowed, errors.InvalidRequest),
    },
)
async def list_deliveries(request: Request, actor: Reader, query: Annotated[DeliveryList, Query()]) -> Response:
    """An app sees its own, people see all. `status` may be repeated, or hold several with commas."""
    return json_answer(await run_in_threadpool(_list, gateway_of(request), actor, query))


@router.post(
    "/{delivery_id}/redeliver",
    summary="Send a message once more",
    responses={
        200: {"model": DeliveryView, "description": "It is due at once, under the same id"},
        **refusals(
            errors.Unauthenticated, errors.NotAllowed, errors.CrossSite, errors.NotFound, errors.DeliveryPending,
            errors.DeliveryDropped, errors.DatabaseUnavailable,
        ),
    },
)  # fmt: skip
async def redeliver(request: Request, actor: Submitter, delivery_id: DeliveryId) -> Response:
    """For the app that owns it, with the scope submit, and for admins. What is pending is tried by itself."""
    return json_answer(await run_in_threadpool(_redeliver, gateway_of(request), actor, delivery_id))


def _list(gateway: Gateway, actor: Actor, query: DeliveryList) -> bytes:
    with gateway.database.read() as session:
        page = deliveries.page(
            session,
            owner=None if isinstance(actor, PersonActor) else actor.owner,
            statuses=query.status,
            job_id=query.job_id,
            approval_id=query.approval_id,
            cursor=query.cursor,
            limit=query.limit,
        )
    return dump({"items": [_view(row) for row in page.items], "next_cursor": page.next_cursor})


def _redeliver(gateway: Gateway, actor: Actor, delivery_id: str) -> bytes:
    return dump(_view(usecase.redeliver(gateway, actor, delivery_id)))


def _view(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "event": row.event,
        "status": row.status,
        "target": row.target,
        "form": row.form,
        "url": row.url,
        "app": row.app,
        "job_id": row.job_id,
        "approval_id": row.approval_id,
        "attempts": row.attempts,
        "next_attempt_at": row.due_at if row.status == DeliveryStatus.PENDING else None,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "created_at": row.created_at,
        "delivered_at": row.delivered_at,
    }
