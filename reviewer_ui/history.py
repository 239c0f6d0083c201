"""The log of decisions: looking things up, taking them along, and checking that nothing was changed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.approval import Verdict
from gateway.domain.json_text import Limits
from gateway.errors import InvalidRequest
from gateway.store import accounts, approvals, decisions, executions
from gateway.store.decisions import Filter
from gateway.store.session import Session
from gateway.store.tables import Approval, Decision, Execution
from gateway.usecases import audit
from gateway.web.state import gateway_of
from reviewer_ui import states
from reviewer_ui.access import Person
from reviewer_ui.addresses import FromAddress
from reviewer_ui.arguments import Edit, decided_edits
from reviewer_ui.posting import PostedForm
from reviewer_ui.preferences import read_preferences
from reviewer_ui.rendering import page, refuse

ROWS = 50

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the filter's form holds, as text; "" does not narrow. ``to`` is the last day that counts."""

    q: str = ""
    verdict: str = ""
    tool: str = ""
    reviewer: str = ""
    since: str = ""
    to: str = ""

    def as_filter(self, zone: tzinfo) -> Filter:
        """The filter; its days are those of this zone. Raises: InvalidRequest for a day or a verdict that is none."""
        if self.verdict and self.verdict not in set(Verdict):
            raise InvalidRequest(f"{self.verdict!r} is no decision: there are {', '.join(Verdict)}.")
        return Filter(
            since=_day(self.since, zone),
            until=_day(self.to, zone, plus_days=1),
            action=self.tool,
            reviewer=self.reviewer,
            verdict=self.verdict,
            q=self.q,
        )

    def export_address(self, zone: tzinfo) -> str:
        """Where the API gives all that this filter finds as CSV."""
        wanted = self.as_filter(zone)
        times = {"from": wanted.since, "to": wanted.until}
        fields = {"action": self.tool, "reviewer": self.reviewer, "verdict": self.verdict, "q": wanted.q or ""}
        fields |= {name: moment.isoformat() for name, moment in times.items() if moment}
        return f"/api/v1/decisions?{urlencode({'format': 'csv'} | {name: one for name, one in fields.items() if one})}"

    def as_query(self, **more: str) -> str:
        """The address' query for this filter; empty fields are left out."""
        fields = {("from" if name == "since" else name): value for name, value in asdict(self).items()}
        return urlencode({name: value for name, value in {**fields, **more}.items() if value})


@dataclass(frozen=True, slots=True)
class Row:
    """One decision in the list."""

    decision: Decision
    state: states.State
    approval: Approval | None
    outcome: states.State | None
    edits: list[Edit]

    @property
    def is_left_to_app(self) -> bool:
        """True for an approval of what does not run here."""
        return self.decision.job_id is None and self.decision.verdict == Verdict.APPROVE


async def wanted_of(
    q: FromAddress = "",
    verdict: FromAddress = "",
    tool: FromAddress = "",
    reviewer: FromAddress = "",
    since: Annotated[FromAddress, Query(alias="from")] = "",
    to: FromAddress = "",
) -> Wanted:
    """The filter that the address holds."""
    return Wanted(q=q, verdict=verdict, tool=tool, reviewer=reviewer, since=since, to=to)


FilterQuery = Annotated[Wanted, Depends(wanted_of)]


@router.get("/history")
def show(request: Request, _person: Person, wanted: FilterQuery, cursor: FromAddress | None = None) -> Response:
    """Decisions, newest first. Raises: InvalidRequest, shown beside the filter that was typed."""
    try:
        return _history_page(request, wanted, cursor)
    except InvalidRequest as error:
        refuse(request, error, _refused_page(request, wanted, error))


@router.post("/history/verification")
def verify(request: Request, _person: Person, _form: PostedForm) -> Response:
    """The whole log was read and compared; the page says what was found. It changes nothing."""
    return _history_page(request, Wanted(), None, verification=audit.verify(gateway_of(request)))


@router.get("/history/verification")
def show_again(request: Request, _person: Person) -> Response:
    """The form's address, opened as a page."""
    return _history_page(request, Wanted(), None)


def _refused_page(request: Request, wanted: Wanted, error: InvalidRequest) -> Response:
    with gateway_of(request).database.read() as session:
        choices, head = _choices(request, session, wanted), decisions.head(session)
    return page(
        request, "history.html", rows=(), wanted=wanted, query=wanted.as_query(), export=None, older=None, cursor=None,
        choices=choices, head=head, verification=None, error=error,
    )  # fmt: skip


def _history_page(
    request: Request, wanted: Wanted, cursor: str | None, *, verification: audit.Verification | None = None
) -> Response:
    gateway = gateway_of(request)
    zone = read_preferences(request).zone or UTC
    with gateway.database.read() as session:
        found = decisions.page(session, wanted.as_filter(zone), cursor=cursor or None, limit=ROWS)
        ids = {decision.approval_id for decision in found.items}
        of_id = {approval.id: approval for approval in approvals.find_many(session, ids)}
        attempts = executions.newest(session, ids)
        choices = _choices(request, session, wanted)
        head = decisions.head(session)
    return page(
        request,
        "history.html",
        rows=[
            _row(decision, of_id.get(decision.approval_id), attempts.get(decision.approval_id), gateway.policy.limits)
            for decision in found.items
        ],
        wanted=wanted,
        query=wanted.as_query(),
        export=wanted.export_address(zone),
        older=wanted.as_query(cursor=found.next_cursor) if found.next_cursor else None,
        cursor=cursor,
        choices=choices,
        head=head,
        verification=verification,
        error=None,
    )


def _choices(request: Request, session: Session, wanted: Wanted) -> dict[str, list[tuple[str, str]]]:
    return {
        "verdicts": [(str(verdict), verdict.capitalize()) for verdict in Verdict],
        "tools": [(tool, tool) for tool in _with(gateway_of(request).tools.names(), wanted.tool)],
        "people": _known_or(wanted.reviewer, [(one.id, one.name) for one in accounts.people(session)]),
    }


def _row(decision: Decision, approval: Approval | None, execution: Execution | None, limits: Limits) -> Row:
    return Row(
        decision=decision,
        state=states.decision_state(decision),
        approval=approval,
        outcome=states.execution_state(execution) if execution else None,
        edits=decided_edits(decision, approval, limits),
    )


def _with(names: Sequence[str], chosen: str) -> list[str]:
    """The names to choose from; a tool that is gone stays choosable while it is chosen."""
    return sorted({*names, chosen} - {""})


def _known_or(chosen: str, people: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The people to choose from; whoever is nobody's id is shown as it was asked for, not as "anyone"."""
    is_known = not chosen or any(chosen == one for one, _ in people)
    return people if is_known else [*people, (chosen, chosen)]


def _day(text: str, zone: tzinfo, *, plus_days: int = 0) -> datetime | None:
    """The beginning of this day, or of one so many days later. Raises: InvalidRequest."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{text!r} is not a day: write it as 2026-11-21.") from None
    try:
        return datetime.combine(day + timedelta(days=plus_days), time.min, zone).astimezone(UTC)
    except OverflowError:
        return None  # before the first moment that there is, or after the last: it narrows nothing
