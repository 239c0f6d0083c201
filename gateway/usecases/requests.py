"""Requests of programs that wait for a person and then act themselves: nothing of what they ask runs here."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.approval import ApprovalStatus, higher_risk, risk_of_score
from gateway.domain.arguments import sha256_hex
from gateway.domain.callback_url import check_url, read_url
from gateway.domain.event import EventName
from gateway.domain.json_text import require_object
from gateway.domain.permission import Actor, PersonActor
from gateway.domain.storable import storable
from gateway.errors import IdempotencyKeyReused
from gateway.store import approvals, decisions, events, requests
from gateway.store.session import Session
from gateway.store.tables import Approval
from gateway.usecases import callbacks, describing, intake, notices
from gateway.usecases.gateway import Gateway
from gateway.usecases.ids import new_id

#: Nobody said how much is at stake: rather too careful.
UNKNOWN_RISK = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """What a program wants to do, once a person has approved it. ``details`` is the exact JSON text."""

    origin: str
    action: str
    summary: str
    details: str
    justification: str | None = None
    risk_score: float | None = None  #: from 0 to 1
    risk: str | None = None  #: the word, from those who give no score
    callback_url: str | None = None  #: where the decision is told
    sent_along: str | None = None  #: JSON object: all else that was said
    idempotency_key: str | None = None

    @property
    def sha256(self) -> str:
        """Of all that says what is asked."""
        return sha256_hex(json.dumps([self.origin, self.action, self.summary, self.details, self.justification]))


@dataclass(frozen=True, slots=True)
class Filed:
    approval: Approval
    is_replay: bool  #: it was asked before: this is the approval of the first time


def file_request(gateway: Gateway, actor: Actor, request: ActionRequest) -> Filed:
    """The request waits for a person, or was decided at birth by its tool's setting.

    An action that has the name of one of the gateway's tools is a call of that
    tool: its schema, title, secrets, expiry and gate count.

    Raises: InvalidJson, TooLarge for details beyond the limits; CallbackRefused; IdempotencyKeyReused when the key
    came with another request.
    """
    require_object(request.details, gateway.policy.limits)
    if request.callback_url is not None:
        check_url(read_url(request.callback_url), gateway.policy.callback_allow)
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        if known := _find_first(gateway, session, actor, request, now):
            return Filed(known, is_replay=True)
        approval = _approval(gateway, actor, request, now)
        tool = gateway.tools.get(request.action)
        decision = None
        if tool is not None and tool.definition.approval == "auto":
            decision = intake.approve_by_setting(approval, tool.definition, now)
        approvals.add(session, approval)
        events.record(session, None, EventName.APPROVAL_REQUESTED, now, approval=approval)
        if decision is not None:
            callbacks.tell_decided(gateway, session, approval, decision, now)
            decisions.append(session, [decision])
        elif gateway.policy.tells_reviewers:
            notices.queue(session, approval, now)
    return Filed(approval, is_replay=False)


def _find_first(
    gateway: Gateway, session: Session, actor: Actor, request: ActionRequest, now: datetime
) -> Approval | None:
    key, window_s = request.idempotency_key, gateway.policy.same_request_window_s
    if key is not None:
        requests.alone_with(session, actor.owner, key)
        first = requests.find_by_key(session, actor.owner, key)
        if first is not None and first.request_sha256 != request.sha256:
            raise IdempotencyKeyReused(approval_id=first.id)
        return first
    if not window_s:
        return None
    requests.alone_with(session, actor.owner, request.sha256)
    return requests.find_same(session, actor.owner, request.sha256, now - timedelta(seconds=window_s))


def _approval(gateway: Gateway, actor: Actor, request: ActionRequest, now: datetime) -> Approval:
    approval = Approval(
        id=new_id("apr"),
        status=ApprovalStatus.PENDING,
        origin=request.origin,
        owner=actor.owner,
        app=None if isinstance(actor, PersonActor) else actor.app,
        requested_for=actor.email if isinstance(actor, PersonActor) else None,
        action=storable(request.action),
        title="",
        summary=storable(request.summary),
        justification=storable(request.justification) if request.justification else None,
        risk=UNKNOWN_RISK,
        details_sha256="",
        sent_along=storable(request.sent_along) if request.sent_along else None,
        callback_url=request.callback_url,
        request_key=request.idempotency_key,
        request_sha256=request.sha256,
        created_at=now,
    )
    tool = gateway.tools.get(request.action)
    definition = tool.definition if tool is not None else None
    describing.fill(approval, definition, request.details, gateway.policy.limits)
    describing.limit_time(gateway, approval, definition, now)
    approval.risk_score = request.risk_score
    said = request.risk if request.risk_score is None else risk_of_score(request.risk_score)
    if said is not None:
        # Who asks may call it graver than the operator's setting, and not slighter.
        approval.risk = said if definition is None else higher_risk(said, definition.risk)
    return approval
