"""Deciding several calls with one click: each is still decided by itself, about the arguments that were shown."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.approval import Choice, Verdict, may_be_approved_together
from gateway.domain.findings.finding import INFORMING
from gateway.domain.permission import PersonActor
from gateway.errors import GatewayError, NotFound
from gateway.store import approvals as rows
from gateway.store.tables import Approval
from gateway.usecases import approvals
from gateway.usecases.approvals import Ruling
from gateway.usecases.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Pick:
    """One call that was chosen, with the hash of the arguments that its chooser was shown."""

    approval_id: str
    details_sha256: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A call that was left as it is, and why."""

    approval_id: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the chosen calls, in their order."""

    done: Sequence[Approval]
    skipped: Sequence[Skipped]


def decide_many(
    gateway: Gateway, person: PersonActor, picks: Sequence[Pick], choice: Choice, *, note: str | None, channel: str
) -> Outcome:
    """Each chosen call carries this decision, but for those that must be looked at one by one.

    Approved together are calls of low or medium risk about which nothing is to
    be read first, of one tool: that of the first such call. A call that cannot
    be decided is skipped; it keeps none of the others from being decided.
    """
    with gateway.database.read() as session:
        found = {row.id: row for row in rows.find_many(session, [pick.approval_id for pick in picks])}
    chosen = [found[pick.approval_id] for pick in picks if pick.approval_id in found]
    tool = next((row.action for row in chosen if _why_alone(row) is None), None)
    done: list[Approval] = []
    skipped: list[Skipped] = []
    for pick in picks:
        row = found.get(pick.approval_id)
        why = _why_not_together(row, tool) if choice.verdict is Verdict.APPROVE and row else None
        try:
            if why is None:
                ruling = Ruling(choice=choice, details_sha256=pick.details_sha256, note=note, channel=channel)
                done.append(approvals.decide(gateway, person, pick.approval_id, ruling))
                continue
        except NotFound:
            why = "There is no such call."
        except GatewayError as error:
            why = error.message
        skipped.append(Skipped(pick.approval_id, row.title if row else pick.approval_id, why))
    return Outcome(done, skipped)


def undo_many(gateway: Gateway, person: PersonActor, approval_ids: Sequence[str], *, channel: str) -> Outcome:
    """Each of these approvals is pending again, but for those that were released already."""
    done: list[Approval] = []
    skipped: list[Skipped] = []
    for approval_id in approval_ids:
        try:
            done.append(approvals.undo(gateway, person, approval_id, channel=channel))
        except GatewayError as error:
            skipped.append(Skipped(approval_id, approval_id, error.message))
    return Outcome(done, skipped)


def _why_not_together(row: Approval, tool: str | None) -> str | None:
    why = _why_alone(row)
    if why is None and row.action != tool:
        return "It is a call of another tool: only calls of one tool are approved together."
    return why


def _why_alone(row: Approval) -> str | None:
    if not may_be_approved_together(row.risk):
        return f"Its risk is {row.risk}: look at it by itself."
    if any(warning["code"] not in INFORMING for warning in json.loads(row.warnings)):
        return "Something is to be read before it is decided."
    return None
