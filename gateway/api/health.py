"""``/healthz`` and ``/readyz``: is the process alive, and can it do its work."""

import logging
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.answers import dump, json_answer
from gateway.engine.engine import check_engine
from gateway.errors import GatewayError, SchemaOutdated
from gateway.store import decisions
from gateway.store.schema import check_current
from gateway.usecases.gateway import Gateway
from gateway.web.state import closing_of, gateway_of

router = APIRouter(tags=["health"])

_log = logging.getLogger(__name__)


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready", "not_ready"]
    checks: dict[str, str]


@router.get("/healthz", summary="The process is alive", responses={200: {"model": Health}})
async def healthz() -> Response:
    return json_answer(dump({"status": "ok"}))


@router.get(
    "/readyz",
    summary="The process can do its work",
    responses={
        200: {"model": Readiness},
        503: {"model": Readiness, "description": "`checks` says what is missing"},
    },
)
async def readyz(request: Request) -> Response:
    """The database answers, its schema is this version's, the queues can be used, and the worker, if any, works."""
    found = await run_in_threadpool(_check_all, gateway_of(request))
    if closing_of(request).has_begun:
        found["process"] = "closing"
    is_ready = set(found.values()) == {"ok"}
    body = dump({"status": "ready" if is_ready else "not_ready", "checks": found})
    return json_answer(body, 200 if is_ready else 503)


def _check_all(gateway: Gateway) -> dict[str, str]:
    checks: dict[str, Callable[[], None]] = {
        "database": lambda: _check_database(gateway),
        "schema": lambda: check_current(gateway.database),
        "engine": lambda: check_engine(gateway.database),
    }
    if gateway.engine.is_started:
        checks["worker"] = gateway.engine.check
    return {name: _result(name, check) for name, check in checks.items()}


def _check_database(gateway: Gateway) -> None:
    with gateway.database.read() as session:
        if decisions.head(session) is None:
            # Every decision would fail: without it nobody knows what the next one follows from.
            raise SchemaOutdated("The head of the decision log is missing: run `countersign audit verify`.")


def _result(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except GatewayError as error:
        return error.code
    except Exception:
        # Whatever it is, this process is not ready; and who asks need not be told more.
        _log.exception("readiness check failed", extra={"event": "ready.failed", "check": name})
        return "failed"
    return "ok"
