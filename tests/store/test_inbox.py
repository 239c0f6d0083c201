"""What waits, page by page: complete, narrowed by every word, and never a walk through all that wait."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.permission import NOBODY
from gateway.errors import InvalidRequest
from gateway.store import approvals, inbox
from gateway.store.inbox import Wanted
from gateway.store.session import Database
from gateway.store.tables import Approval, Execution, Job
from tests.store.test_decision_log import START
from tests.store.test_pages import add, approval_row, explained, job_row, walk

RISKS = ("low", "medium", "high", "critical")


@pytest.fixture
def forty(database: Database) -> Database:
    add(database, Job, [job_row(0), job_row(1)])
    add(
        database,
        Approval,
        [
            approval_row(
                n,
                status="approved" if n == 39 else "pending",
                action=f"tool_{n % 2}",
                app=f"app{n % 5}",
                owner=f"app:app{n % 5}",
                risk=RISKS[n % 4],
                assignee="per_1" if n in (3, 20, 21, 39) else None,
                title=f"Send ÄRGER {n}" if n % 10 == 0 else f"Send {n}",
                job_id="job_000001" if n in (7, 9) else "job_000000",
                expires_at=START + timedelta(minutes=100 - n) if n % 3 == 0 else None,
                release_at=START + timedelta(hours=2) if n == 39 else None,
            )
            for n in range(40)
        ],
    )
    return database


def found(database: Database, limit: int = 7, **wanted: Any) -> list[int]:
    return [
        int(one[4:])
        for one in walk(database, lambda s, cursor: inbox.waiting(s, Wanted(**wanted), cursor=cursor, limit=limit))  # type: ignore[arg-type, return-value]
    ]


def test_pages_are_complete_oldest_first_and_narrowed_by_every_word(forty: Database) -> None:
    everything = list(range(39))

    assert found(forty) == everything
    assert found(forty, 1) == found(forty, 39) == everything
    assert found(forty, tool="tool_1") == [n for n in everything if n % 2]
    assert found(forty, app="app3") == [n for n in everything if n % 5 == 3]
    assert found(forty, job_id="job_000001") == [7, 9]
    assert found(forty, risks=("high", "critical")) == [n for n in everything if n % 4 > 1]
    assert found(forty, risks=("low",), tool="tool_1") == []
    assert found(forty, assignee="per_1") == [3, 20, 21]
    assert found(forty, assignee="per_1", words=("ärger",)) == [20]
    assert found(forty, assignee="per_2") == []
    assert found(forty, assignee=NOBODY) == [n for n in everything if n not in (3, 20, 21)]
    assert found(forty, words=("ärger",)) == [0, 10, 20, 30]
    assert found(forty, words=("send", "ärger"), app="app0", risks=("high",)) == [10, 30]


def test_search_that_stops_says_so_and_goes_on_from_there(forty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "SCAN_ROWS", 15)
    with forty.read() as session:
        first = inbox.waiting(session, Wanted(words=("ärger",)), cursor=None, limit=7)

    assert [row.id for row in first.items] == ["apr_000000", "apr_000010"]
    assert first.is_cut
    assert first.next_cursor
    assert found(forty, words=("ärger",)) == [0, 10, 20, 30]


def test_most_urgent_come_first_and_held_ones_are_apart(forty: Database) -> None:
    with forty.read() as session:
        urgent = inbox.expiring(session, Wanted(), by=START + timedelta(minutes=75), limit=3)
        narrowed = inbox.expiring(session, Wanted(tool="tool_1"), by=START + timedelta(minutes=75), limit=3)
        held = inbox.held(session, Wanted(), now=START + timedelta(hours=1), limit=3)
        released = inbox.held(session, Wanted(), now=START + timedelta(hours=2), limit=3)

    assert [row.id for row in urgent] == ["apr_000036", "apr_000033", "apr_000030"]
    assert [row.id for row in narrowed] == ["apr_000033", "apr_000027"]
    assert [row.id for row in held] == ["apr_000039"]
    assert released == []


def test_calls_in_doubt_are_listed_until_somebody_settles_them(forty: Database) -> None:
    executions = [
        {
            "approval_id": f"apr_{n:06}",
            "attempt": 1,
            "status": status,
            "executor_id": "e",
            "details_sha256": "0",
            "started_at": START,
        }
        for n, status in ((4, "unknown"), (5, "unknown"), (6, "succeeded"))
    ]
    add(forty, Execution, executions)

    with forty.read() as session:
        everything = inbox.in_doubt(session, Wanted(), limit=10)
        narrowed = inbox.in_doubt(session, Wanted(tool="tool_1"), limit=10)

    assert [row.id for row in everything] == ["apr_000004", "apr_000005"]
    assert [row.id for row in narrowed] == ["apr_000005"]


def test_place_behind_a_call_is_found_though_it_waits_no_more(forty: Database) -> None:
    with forty.read() as session:
        gone, one = approvals.find_heads(session, ["apr_000039", "apr_000012"])
        after_gone = inbox.waiting(session, Wanted(), cursor=inbox.cursor_behind(gone), limit=1)
        after_one = inbox.waiting(session, Wanted(), cursor=inbox.cursor_behind(one), limit=1)

    assert after_gone.items == []
    assert [row.id for row in after_one.items] == ["apr_000013"]


def test_cursor_that_is_not_ours_is_refused(forty: Database) -> None:
    with forty.read() as session, pytest.raises(InvalidRequest):
        inbox.waiting(session, Wanted(), cursor="x", limit=1)


def test_few_among_many_are_found_by_an_index_in_the_order_of_the_list(database: Database) -> None:
    rare = {
        7: {"owner": "app:small", "app": "small"},
        8: {"action": "rare"},
        9: {"risk": "critical"},
        10: {"assignee": "per_1"},
    }
    add(database, Job, [job_row(0)])
    add(database, Approval, [approval_row(n, **rare.get(n, {})) for n in range(8000)])
    if not database.is_sqlite:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    questions = {
        "approvals_status_created": Wanted(),
        "approvals_owner_status": Wanted(app="small"),
        "approvals_status_action": Wanted(tool="rare"),
        "approvals_assignee": Wanted(assignee="per_1"),
        "approvals_status_risk": Wanted(risks=("critical", "low")),
    }
    for index, wanted in questions.items():
        plan = explained(database, lambda s: inbox.waiting(s, wanted, cursor=None, limit=50))  # noqa: B023
        assert "Seq Scan" not in plan, plan
        assert "SCAN approvals" not in plan, plan
        # PostgreSQL, which knows that they are few, may sort what it finds by another index.
        assert index in plan or not database.is_sqlite, plan
        assert "TEMP B-TREE" not in plan, plan
    for mine in (
        lambda s: inbox.counts(s, by=START, person_id="per_1", at_most=1000),
        lambda s: approvals.page(s, statuses=("pending",), assignee="per_1"),
    ):
        plan = explained(database, mine)
        assert "approvals_assignee" in plan, plan
        assert "TEMP B-TREE" not in plan, plan
    plan = explained(database, lambda s: inbox.expiring(s, Wanted(), by=START, limit=50))
    assert "approvals_status_expires" in plan
