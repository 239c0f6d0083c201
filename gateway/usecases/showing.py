"""What everybody outside sees of a job: exact texts, secrets masked, and held approvals that are still pending.

The API answers with it, and callbacks tell it.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from gateway.domain import secret_places
from gateway.domain.approval import ApprovalStatus, is_held
from gateway.store import approvals, executions
from gateway.store.session import Session
from gateway.store.tables import Approval, Execution, Job

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def spliced(text: str | None) -> orjson.Fragment | None:
    """JSON text that stands in the answer character for character; None is null."""
    return None if text is None else orjson.Fragment(text)


def masked(text: str | None, secrets: secret_places.Pointers) -> orjson.Fragment | None:
    """As ``spliced``, with a mask in the place of each secret."""
    return None if text is None else orjson.Fragment(secret_places.masked(text, secrets))


def dump(content: Any) -> bytes:
    """The content as JSON; times in RFC 3339, UTC."""
    return orjson.dumps(content, option=_OPTIONS)


def shown_status(row: Approval, now: datetime) -> str:
    """What every face says: pending until the approval is released."""
    return ApprovalStatus.PENDING if is_held(row.status, row.release_at, now) else row.status


def shown_details(row: Approval) -> Any:
    """The arguments as they came: the exact JSON with its secrets masked, or a string of what is no JSON object."""
    secrets = secret_places.read(row.secrets)
    if row.details is None:
        return secret_places.shown(row.raw_details or "", secrets)
    return masked(row.details, secrets)


def view_jobs(session: Session, rows: Sequence[Job], now: datetime) -> list[dict[str, Any]]:
    """The jobs for ``dump``, read with two statements more, however many there are."""
    with_calls = [row.id for row in rows if row.rounds]
    calls = approvals.of_jobs(session, with_calls) if with_calls else ()
    may_have_run = [call.id for call in calls if call.status == ApprovalStatus.APPROVED]
    attempts = executions.newest(session, may_have_run) if may_have_run else {}
    of_job: dict[str | None, list[Approval]] = defaultdict(list)
    for call in calls:
        of_job[call.job_id].append(call)
    return [view_job(row, of_job[row.id], attempts, now) for row in rows]


def view_job(row: Job, calls: Sequence[Approval], attempts: dict[str, Execution], now: datetime) -> dict[str, Any]:
    """One job for ``dump``."""
    return {
        "id": row.id,
        "status": row.status,
        "model": row.model,
        "session_id": None,
        "output": spliced(row.output),
        "error": {"code": row.error_code, "message": row.error_message} if row.error_code else None,
        "rounds": row.rounds,
        "usage": {
            "prompt_tokens": row.prompt_tokens,
            "completion_tokens": row.completion_tokens,
            "total_tokens": row.total_tokens,
        },
        "tool_calls": [_view_call(call, attempts.get(call.id), now) for call in calls],
        "pending_approvals": [call.id for call in calls if shown_status(call, now) == ApprovalStatus.PENDING],
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deadline_at": row.deadline_at,
        "metadata": spliced(row.metadata_text),
    }


def _view_call(call: Approval, execution: Execution | None, now: datetime) -> dict[str, Any]:
    is_edited = call.modified_details is not None and not is_held(call.status, call.release_at, now)
    return {
        "id": call.tool_call_id,
        "name": call.action,
        "round": call.round,
        "arguments": masked(call.modified_details, secret_places.read(call.secrets))
        if is_edited
        else shown_details(call),
        "approval_id": call.id,
        "status": execution.status if execution else shown_status(call, now),
        "result": execution.result if execution else call.response,
        "error": execution.error if execution else None,
    }
