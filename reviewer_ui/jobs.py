"""A job's transcript: what was said to the model and by it, and what became of its calls."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain import secret_places
from gateway.domain.job import JobStatus
from gateway.errors import GatewayError, NotFound
from gateway.store import approvals, executions, jobs, turns
from gateway.store.tables import Approval, Execution, Message
from gateway.tools.registry import ToolRegistry
from gateway.usecases import jobs as job_cases
from gateway.web.state import gateway_of
from reviewer_ui import states
from reviewer_ui.access import Decider, Person
from reviewer_ui.addresses import FromAddress
from reviewer_ui.arguments import texts_of
from reviewer_ui.forms import CHANNEL
from reviewer_ui.posting import PostedForm
from reviewer_ui.rendering import page, refuse, see_other

router = APIRouter(include_in_schema=False)

_SPEAKERS = {"user": "Asked", "system": "Instructions", "assistant": "Model", "tool": "Result"}


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call in an answer of the model, with what became of it."""

    name: str
    arguments: str
    approval: Approval | None
    state: states.State | None
    outcome: states.State | None


Calls = Mapping[tuple[int | None, int | None], Call]  #: by round and position


@dataclass(frozen=True, slots=True)
class Said:
    """One message."""

    speaker: str
    role: str
    round: int
    at: datetime
    text: str
    calls: list[Call]
    about: Approval | None  #: for a tool's result: the call that it answers


@router.get("/jobs/{job_id}")
def show(request: Request, _person: Person, job_id: FromAddress) -> Response:
    """The transcript. Raises: NotFound."""
    return _job_page(request, job_id)


@router.get("/jobs/{job_id}/cancel")
def show_again(_person: Person, job_id: FromAddress) -> Response:
    """The form's address, opened as a page."""
    return see_other(f"/jobs/{job_id}")


@router.post("/jobs/{job_id}/cancel")
def cancel(request: Request, person: Decider, _form: PostedForm, job_id: FromAddress) -> Response:
    """The job has ended; nothing further of it runs. Raises: NotFound; JobFinished."""
    try:
        job_cases.cancel(gateway_of(request), person, job_id, channel=CHANNEL)
    except GatewayError as error:
        refuse(request, error, _job_page(request, job_id, error=error))
    return see_other(f"/jobs/{job_id}")


def _job_page(request: Request, job_id: str, *, error: GatewayError | None = None) -> Response:
    gateway = gateway_of(request)
    with gateway.database.read() as session:
        now = gateway.database.now(session)
        job = jobs.find(session, job_id)
        if job is None:
            raise NotFound("There is no job under this address.")
        messages = turns.messages(session, job_id)
        calls = approvals.of_job(session, job_id)
        attempts = executions.newest(session, [approval.id for approval in calls])
    shown = {
        (approval.round, approval.position): Call(
            name=approval.action,
            arguments=_arguments(approval),
            approval=approval,
            state=states.approval_state(approval, now),
            outcome=_outcome(attempts.get(approval.id)),
        )
        for approval in calls
    }
    return page(
        request,
        "job.html",
        job=job,
        state=states.job_state(job),
        is_final=JobStatus(job.status).is_final,
        transcript=_transcript(messages, shown, gateway.tools),
        error=error,
        now=now,
    )


def _arguments(approval: Approval) -> str:
    texts = texts_of(approval)
    return texts.details or texts.raw or ""


def _transcript(messages: Sequence[Message], calls: Calls, tools: ToolRegistry) -> list[Said]:
    return [_said(message, json.loads(message.body), calls, tools) for message in messages]


def _said(message: Message, body: Mapping[str, Any], calls: Calls, tools: ToolRegistry) -> Said:
    asked = [
        calls.get((message.round, position)) or _call_without_row(call, tools)
        for position, call in enumerate(body.get("tool_calls") or [], start=1)
    ]
    answered = calls.get((message.round, message.slot)) if message.role == "tool" else None
    return Said(
        speaker=_SPEAKERS.get(message.role, message.role),
        role=message.role,
        round=message.round,
        at=message.created_at,
        text=_text(body.get("content")),
        calls=asked,
        about=answered.approval if answered else None,
    )


def _call_without_row(call: Mapping[str, Any], tools: ToolRegistry) -> Call:
    """A call that came with the submitted messages, or that the round limit left unopened."""
    function = call.get("function") or {}
    arguments = function.get("arguments", "")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    name = str(function.get("name", ""))
    tool = tools.get(name)
    return Call(name, secret_places.shown(text, tool.definition.secret if tool else ()), None, None, None)


def _text(content: Any) -> str:
    """The words of a message; parts that are not words as JSON."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    return "\n".join(
        part["text"]
        if isinstance(part, dict) and isinstance(part.get("text"), str)
        else json.dumps(part, ensure_ascii=False, indent=2)
        for part in parts
    )


def _outcome(execution: Execution | None) -> states.State | None:
    return states.execution_state(execution) if execution else None
