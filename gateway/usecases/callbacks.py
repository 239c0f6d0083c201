"""Telling an app that its job has ended."""

from datetime import datetime
from typing import Any

from gateway.domain.event import EventName
from gateway.store.session import Session
from gateway.store.tables import Job
from gateway.usecases import deliveries
from gateway.usecases.showing import dump, view_jobs

MAX_BODY_BYTES = 64 * 1024
#: What is left out of a body that is too large, in this order, until it fits.
_LEFT_OUT: dict[str, Any] = {"output": None, "tool_calls": [], "metadata": None}


def tell_end(session: Session, job: Job, event: EventName, now: datetime) -> None:
    """The message of the job's end is queued, if its app gave an address. The job's row must be locked."""
    if job.callback_url is None:
        return
    session.save_changes()
    [view] = view_jobs(session, [job], now)
    deliveries.queue(
        session, event=event, url=job.callback_url, body=body_of(event, view, now), owner=job.owner, app=job.app,
        job_id=job.id, now=now,
    )  # fmt: skip


def body_of(event: str, view: dict[str, Any], now: datetime) -> str:
    """The exact text to send, of at most ``MAX_BODY_BYTES``: ``data`` says ``truncated`` when something is left out.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    data = dict(view)
    body = dump({"type": event, "timestamp": now, "data": data})
    for name, instead in _LEFT_OUT.items():
        if len(body) <= MAX_BODY_BYTES:
            break
        data |= {name: instead, "truncated": True}
        body = dump({"type": event, "timestamp": now, "data": data})
    return body.decode()
