"""Telling an app that its job has ended, or what was decided about its request."""

from datetime import datetime
from typing import Any

from gateway.domain.approval import Verdict
from gateway.domain.event import EventName
from gateway.store.decisions import Entry
from gateway.store.session import Session
from gateway.store.tables import Approval, Job
from gateway.usecases import cheqpoint, deliveries
from gateway.usecases.gateway import Gateway
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


def tell_decided(gateway: Gateway, session: Session, approval: Approval, decision: Entry, now: datetime) -> None:
    """The message of the decision is queued, if whoever asked gave an address; it is due at the release."""
    if approval.callback_url is None:
        return
    decided = cheqpoint.decided_by(approval, decision)
    public_url = gateway.policy.public_url
    view = cheqpoint.view_request(approval, decided, f"{public_url}/approvals/{approval.id}" if public_url else None)
    event = _DECIDED_EVENTS.get(Verdict(decision.verdict), EventName.APPROVAL_DECIDED)
    deliveries.queue(
        session, event=event, url=approval.callback_url, body=dump({"event": event, **view}).decode(),
        owner=approval.owner, app=approval.app, approval_id=approval.id, form=cheqpoint.ORIGIN, now=now,
        due_at=approval.release_at if decision.verdict == Verdict.APPROVE else None,
    )  # fmt: skip


_DECIDED_EVENTS = {Verdict.EXPIRE: EventName.APPROVAL_EXPIRED, Verdict.CANCEL: EventName.APPROVAL_CANCELLED}


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
