"""The list of what waits: beside every call that is reviewed, and alone on the inbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.permission import PersonActor
from gateway.store import accounts, inbox
from gateway.store.inbox import Head
from gateway.store.session import Session
from gateway.store.tables import Approval
from reviewer_ui.findings import count_grave
from reviewer_ui.inbox_search import Search

ROWS = 30
EXPIRING_ROWS = 10  # of the group on top; its own view shows more
EXPIRING_VIEW_ROWS = 200
SOON = timedelta(minutes=15)
COUNTED = 1000  # a badge needs no exact number beyond it


@dataclass(frozen=True, slots=True)
class Row:
    """One call in the list."""

    approval: Head
    findings: int  #: what the review page warns of


@dataclass(frozen=True, slots=True)
class Counts:
    """How many wait, and how many of them for less than a quarter of an hour more; counted up to ``COUNTED``."""

    waiting: int
    expiring: int
    mine: int  #: of those that wait, what the reader has taken

    def as_facts(self) -> dict[str, str]:
        """For the badges: as they are written on them, empty for none."""
        return {"waiting": counted(self.waiting), "expiring": counted(self.expiring), "mine": counted(self.mine)}


@dataclass(frozen=True, slots=True)
class Listed:
    """What one page of the list shows."""

    search: Search
    counts: Counts
    oldest: datetime | None
    in_doubt: Sequence[Row]
    held: Sequence[Row]
    expiring: Sequence[Row]
    waiting: Sequence[Row]
    names: Mapping[str, str]  #: of the people who look at them, by id
    cursor: str | None
    next_cursor: str | None
    is_cut: bool

    @property
    def has_more_expiring(self) -> bool:
        """True when the group on top shows a part of them; of a search nobody knows how many there are."""
        is_whole = self.search.text == "" and not self.search.only_expiring
        return is_whole and EXPIRING_ROWS == len(self.expiring) < self.counts.expiring

    @property
    def is_empty(self) -> bool:
        return not (self.in_doubt or self.held or self.expiring or self.waiting)

    @property
    def ids(self) -> list[str]:
        """Those that can be decided, in the order of the list."""
        return [row.approval.id for row in (*self.expiring, *self.waiting)]


def counted(number: int) -> str:
    """``7``, ``1000+``, or nothing for none."""
    return f"{number}+" if number >= COUNTED else str(number or "")


def read_counts(session: Session, now: datetime, person: PersonActor) -> Counts:
    return Counts(*inbox.counts(session, by=now + SOON, person_id=person.id, at_most=COUNTED))


def read_list(
    session: Session, person: PersonActor, now: datetime, search: Search, cursor: str | None = None
) -> Listed:
    """The page of the list that begins at ``cursor``. Raises: InvalidRequest for a cursor that is not ours."""
    wanted, is_first = search.wanted_by(person), cursor is None
    page = inbox.waiting(session, wanted, cursor=cursor, limit=ROWS) if not search.only_expiring else None
    expiring_rows = EXPIRING_VIEW_ROWS if search.only_expiring else EXPIRING_ROWS
    expiring = inbox.expiring(session, wanted, by=now + SOON, limit=expiring_rows) if is_first else ()
    on_top = {row.id for row in expiring}
    waiting = [row for row in page.items if row.id not in on_top] if page else []
    in_doubt = inbox.in_doubt(session, wanted, limit=ROWS) if is_first else ()
    held = inbox.held(session, wanted, now=now, limit=ROWS) if is_first else ()
    assigned = {row.assignee for row in (*waiting, *expiring, *in_doubt, *held) if row.assignee is not None}
    first = waiting[0].created_at if waiting and is_first else None
    return Listed(
        search=search,
        counts=read_counts(session, now, person),
        oldest=min([*(row.created_at for row in expiring), *([first] if first else [])], default=None),
        in_doubt=_rows(in_doubt),
        held=_rows(held),
        expiring=_rows(expiring),
        waiting=_rows(waiting),
        names=accounts.names(session, assigned),
        cursor=cursor,
        next_cursor=page.next_cursor if page else None,
        is_cut=page.is_cut if page else False,
    )


def next_to_decide(
    session: Session, person: PersonActor, now: datetime, search: Search, decided: Approval
) -> Head | None:
    """The call that follows in the list; at its end the first one that still waits."""
    wanted = search.wanted_by(person)
    expiring = inbox.expiring(session, wanted, by=now + SOON, limit=1)
    if expiring or search.only_expiring:
        return expiring[0] if expiring else None
    for cursor in (inbox.cursor_behind(decided), None):
        if found := inbox.waiting(session, wanted, cursor=cursor, limit=1).items:
            return found[0]
    return None


def _rows(heads: Sequence[Head]) -> list[Row]:
    return [Row(head, count_grave(head.warnings)) for head in heads]
