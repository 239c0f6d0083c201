"""Lists in pages: complete, stable while rows are added, and found by an index."""

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from gateway.errors import InvalidRequest
from gateway.store import approvals, calls, decisions, inbox, jobs, pages
from gateway.store.decisions import Filter
from gateway.store.pages import Page
from gateway.store.session import Database, Session
from gateway.store.tables import Approval, Execution, Job, Message
from tests.store.test_decision_log import START, append, entry

Read = Callable[[Session, str | None], Page[Any]]


def job_row(number: int, **changes: Any) -> dict[str, Any]:
    at = START + timedelta(seconds=number // 3)  # three jobs share each moment
    row = {
        "id": f"job_{number:06}",
        "status": "queued",
        "owner": "app:shop",
        "request": "{}",
        "permission": "auto",
        "max_rounds": 10,
        "rounds": 0,
        "seq": 1,
        "body_sha256": "0",
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "created_at": at,
        "updated_at": at,
    }
    return row | changes


def approval_row(number: int, **changes: Any) -> dict[str, Any]:
    at = START + timedelta(seconds=number // 3)
    row = {
        "id": f"apr_{number:06}",
        "status": "pending",
        "version": 1,
        "origin": "job",
        "job_id": "job_000000",
        "owner": "app:shop",
        "round": number // 8,
        "position": number % 8 + 1,
        "action": "send",
        "title": "Send",
        "risk": "high",
        "details": "{}",
        "details_sha256": "0",
        "warnings": "[]",
        "note_required": False,
        "auto_decided": False,
        "retryable": False,
        "attempt": 1,
        "created_at": at,
        "release_at": None,
        "expires_at": None,
    }
    return row | changes


def add(database: Database, table: Any, rows: list[dict[str, Any]]) -> None:
    with database.write() as session:
        session.connection().execute(insert(table.__table__), rows)


def walk(database: Database, read: Read, between: Callable[[], None] = lambda: None) -> list[str]:
    """The ids of all pages, in order."""
    ids: list[str] = []
    cursor = None
    while True:
        with database.read() as session:
            page = read(session, cursor)
        ids += [row.id for row in page.items]
        if page.next_cursor is None:
            return ids
        between()
        cursor = page.next_cursor


def test_pages_of_approvals_are_complete_and_oldest_first(database: Database) -> None:
    add(database, Job, [job_row(0)])
    add(database, Approval, [approval_row(n) for n in range(50)])

    for limit in (1, 7, 25, 49, 50, 51):
        found = walk(database, lambda session, cursor: approvals.page(session, cursor=cursor, limit=limit))  # noqa: B023
        assert found == [f"apr_{n:06}" for n in range(50)]


def test_pages_of_approvals_keep_their_place_while_rows_come_and_go(database: Database) -> None:
    add(database, Job, [job_row(0)])
    add(database, Approval, [approval_row(n) for n in range(0, 60, 2)])
    extra = iter(range(1, 60, 2))

    def add_two() -> None:
        add(database, Approval, [approval_row(next(extra)), approval_row(next(extra))])

    found = walk(database, lambda session, cursor: approvals.page(session, cursor=cursor, limit=5), add_two)

    assert found == sorted(found)
    assert len(found) == len(set(found))
    assert {f"apr_{n:06}" for n in range(0, 60, 2)} <= set(found)


def test_approvals_are_filtered_by_every_member(database: Database) -> None:
    add(database, Job, [job_row(0), job_row(1)])
    rows = [
        approval_row(0, owner="app:other"),
        approval_row(1, action="refund"),
        approval_row(2, job_id="job_000001"),
        approval_row(3, risk="low"),
        approval_row(4, status="approved"),
        approval_row(5, status="approved", attempt=2),
        approval_row(6),
    ]
    add(database, Approval, rows)
    runs = [("apr_000004", 1, "unknown"), ("apr_000005", 1, "unknown"), ("apr_000005", 2, "succeeded")]
    add(
        database,
        Execution,
        [
            {
                "approval_id": one,
                "attempt": attempt,
                "status": status,
                "executor_id": "e",
                "details_sha256": "0",
                "started_at": START,
            }
            for one, attempt, status in runs
        ],
    )

    def found(**wanted: Any) -> list[int]:
        with database.read() as session:
            return [int(row.id[4:]) for row in approvals.page(session, **wanted).items]

    assert found() == [0, 1, 2, 3, 4, 5, 6]
    assert found(owner="app:shop") == [1, 2, 3, 4, 5, 6]
    assert found(action="refund") == [1]
    assert found(job_id="job_000001") == [2]
    assert found(risk=["low", "critical"]) == [3]
    assert found(statuses=["approved"]) == [4, 5]
    assert found(statuses=["approved", "pending"], risk=["high"]) == [0, 1, 2, 4, 5, 6]
    assert found(execution=["unknown"]) == [4], "only the newest attempt counts"


def test_held_approvals_show_as_pending_until_their_release(database: Database) -> None:
    add(database, Job, [job_row(0)])
    now = START + timedelta(hours=1)
    released, held = now - timedelta(seconds=1), now + timedelta(seconds=5)
    add(
        database,
        Approval,
        [
            approval_row(0),
            approval_row(1, status="approved", release_at=released),
            approval_row(2, status="approved", release_at=held),
            approval_row(3, status="rejected"),
            approval_row(4, status="approved", release_at=None),
            approval_row(5, status="approved", release_at=now),
        ],
    )

    def found(statuses: list[str], held_since: datetime | None) -> list[int]:
        with database.read() as session:
            items = approvals.page(session, statuses=statuses, held_since=held_since).items
            return [int(row.id[4:]) for row in items]

    assert found(["pending"], now) == [0, 2]
    assert found(["approved"], now) == [1, 4, 5]
    assert found(["approved", "pending"], now) == [0, 1, 2, 4, 5]
    assert found(["rejected"], now) == [3]
    assert found(["pending"], None) == [0]
    for limit in (1, 2, 3):
        ids = walk(
            database,
            lambda s, cursor: approvals.page(s, statuses=["pending"], held_since=now, cursor=cursor, limit=limit),  # noqa: B023
        )
        assert ids == ["apr_000000", "apr_000002"]


def test_pages_of_jobs_are_complete_newest_first_and_filtered(database: Database) -> None:
    add(database, Job, [job_row(n, owner=f"app:{n % 2}", status=("queued", "failed")[n % 3 == 0]) for n in range(40)])

    def read(**wanted: Any) -> list[int]:
        given = {"owner": None, "statuses": (), **wanted}
        return [int(one[4:]) for one in walk(database, lambda s, cursor: jobs.page(s, cursor=cursor, limit=7, **given))]

    everything = list(range(39, -1, -1))
    assert read() == everything
    assert read(owner="app:1") == [n for n in everything if n % 2]
    assert read(statuses=["failed"]) == [n for n in everything if n % 3 == 0]
    assert read(owner="app:0", statuses=["failed", "queued"]) == [n for n in everything if n % 2 == 0]


def test_pages_of_decisions_are_complete_newest_first_and_filtered(database: Database) -> None:
    append(
        database,
        *(
            entry(
                n,
                action=f"a{n % 2}",
                verdict=("approve", "reject")[n % 3 == 0],
                note=f"50% of _{n}\\",
                app=f"app{n % 5}",
            )
            for n in range(1, 41)
        ),
    )

    def read(**wanted: Any) -> list[int]:
        found = Filter(**wanted)
        return [int(one[4:]) for one in walk(database, lambda s, c: decisions.page(s, found, cursor=c, limit=7))]

    everything = list(range(40, 0, -1))
    assert read() == everything
    assert read(action="a1") == [n for n in everything if n % 2]
    assert read(verdict="reject", action="a0") == [n for n in everything if n % 6 == 0]
    assert read(app="app0") == [40, 35, 30, 25, 20, 15, 10, 5]
    assert read(reviewer="per_1") == everything
    assert read(reviewer="ä 😀") == (everything if not database.is_sqlite else []), "SQLite folds ASCII only"
    assert read(reviewer="nobody") == []
    assert read(since=START + timedelta(microseconds=39)) == [40, 39]
    assert read(until=START + timedelta(microseconds=3)) == [2, 1]
    assert read(q="50% _17") == [17]
    assert read(q="5%% of") == []
    assert read(q="17\\") == [17]
    assert read(job_id="job_3", approval_id="apr_3") == [3]
    with database.read() as session:
        assert [row.seq for batch in decisions.batches(session, Filter(action="a1")) for row in batch] == list(
            range(1, 41, 2)
        )


BAD_CURSORS = [
    "",
    "x",
    "é",
    "!!!!",
    "bm90IGpzb24",
    "W10",
    "WzFd",
    "WzEsMl0",
    "bnVsbA",
    "e30",
    "W1tbW10",
    "WyIyMDI2LTAxLTAxIiwiYSJd",
]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        *BAD_CURSORS,
        encoded(["2026-01-01T00:00:00", "apr_1"]),
        encoded(["2026-01-01T00:00:00+00:00", 1]),
        encoded(["2026-01-01T00:00:00+00:00", "a\x00b"]),
        encoded(["2026-01-01T00:00:00+00:00", "\ud800"]),
        encoded(["0001-01-01T00:00:00+23:59", "a"]),
        encoded(["9999-12-31T23:59:59-23:59", "a"]),
        encoded(["2026-01-01T00:00:00+00:00", "a", "b"]),
        encoded("2026"),
        "W" * 100_000,
    ],
)
def test_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        pages.time_and_id(cursor)


@pytest.mark.parametrize(
    "cursor",
    [*(one for one in BAD_CURSORS if one != "WzFd"), encoded([True]), encoded([-1]), encoded([2**63]), encoded([1.0])],
)
def test_number_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        pages.number(cursor)


def test_cursor_leads_back_to_its_key() -> None:
    assert pages.time_and_id(pages.encode_cursor((START, "apr_1"))) == (START, "apr_1")
    assert pages.number(pages.encode_cursor((7,))) == 7


def explained(database: Database, read: Callable[[Session], object]) -> str:
    """The plan of every statement that ``read`` sends."""
    sent: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(database.read_engine, "before_cursor_execute", keep)
    with database.read() as session:
        run = session.run
        # Prepared statements do not pass by SQLAlchemy's events.
        session.run = lambda sql, parameters: (sent.append((sql, parameters)), run(sql, parameters))[1]  # type: ignore[func-returns-value, method-assign]
        read(session)
    event.remove(database.read_engine, "before_cursor_execute", keep)
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    lines: list[str] = []
    with database.engine.connect() as connection:
        for statement, parameters in sent:
            if statement.startswith("SELECT") and "clock_timestamp" not in statement:
                rows = connection.exec_driver_sql(explain + statement, parameters)
                lines += [str(row[-1]) for row in rows]
    return "\n".join(lines)


@pytest.fixture
def full_database(database: Database) -> Database:
    """Some thousand rows, nearly all of them done with, as in a log that has grown."""
    add(
        database,
        Job,
        [job_row(n, status="queued" if n > 2990 else "succeeded", owner=f"app:{n % 30}") for n in range(3000)],
    )
    add(
        database,
        Approval,
        [
            approval_row(
                n,
                status="pending" if n > 7950 else "approved",
                job_id=f"job_{n // 4:06}",
                round=1,
                position=n % 4 + 1,
                release_at=START + timedelta(seconds=n // 3),
                owner=f"app:{n % 20}",
                expires_at=START + timedelta(days=n % 100),
            )
            for n in range(8000)
        ],
    )
    ran = {"attempt": 1, "status": "succeeded", "executor_id": "e", "details_sha256": "0", "started_at": START}
    add(database, Execution, [{"approval_id": f"apr_{n:06}", **ran} for n in range(7900)])
    message = {"round": 1, "role": "tool", "body": "{}", "created_at": START}
    add(
        database,
        Message,
        [{"job_id": f"job_{n // 4:06}", "slot": n % 4, **message} for n in range(8000)],
    )
    append(
        database, *(entry(n, verdict="approve" if n % 100 else "reject", action=f"a{n % 50}") for n in range(1, 4001))
    )
    with database.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    return database


def test_common_questions_are_answered_by_an_index(full_database: Database) -> None:
    now = START + timedelta(hours=3)
    # SQLite names the index of a constraint itself.
    is_sqlite = full_database.is_sqlite
    round_key, key = (
        ("(job_id=?", "(owner=? AND idempotency_key=?)")
        if is_sqlite
        else (
            "approvals_job_round_position",
            "jobs_owner_",
        )
    )
    deep = pages.encode_cursor((START + timedelta(seconds=2000), "apr_006000"))
    questions: dict[str, tuple[Callable[[Session], object], str]] = {
        "inbox": (lambda s: approvals.page(s, statuses=["pending"], held_since=now), "approvals_status_release"),
        "inbox, next page": (
            lambda s: approvals.page(s, statuses=["pending"], held_since=now, cursor=deep),
            "approvals_status_created",
        ),
        "all approvals": (lambda s: approvals.page(s), "approvals_created"),
        "all approvals, next page": (lambda s: approvals.page(s, cursor=deep), "approvals_created"),
        "pending only": (lambda s: approvals.page(s, statuses=["pending"]), "approvals_status_created"),
        "due": (lambda s: approvals.due(s, now, 100), "approvals_status_expires"),
        "to warn of": (lambda s: approvals.to_warn_of(s, now, 100), "approvals_warn"),
        "overdue jobs": (lambda s: jobs.overdue(s, now, 100), "jobs_deadline"),
        "calls of a round": (lambda s: calls.of_round(s, "job_000007", 1, now), round_key),
        "calls of a job": (lambda s: approvals.of_job(s, "job_000007"), round_key),
        "badge": (lambda s: inbox.counts(s, by=now, person_id="per_1", at_most=1000), "approvals_status"),
        "decisions": (lambda s: decisions.page(s, Filter(), cursor=None, limit=50), "decisions"),
        "decisions by verdict": (
            lambda s: decisions.page(s, Filter(verdict="reject"), cursor=None, limit=50),
            "decisions_verdict_seq",
        ),
        "decisions of an approval": (lambda s: decisions.of_approval(s, "apr_77"), "decisions_approval"),
        "one decision": (lambda s: decisions.find(s, "dec_77"), "decisions"),
        "jobs of an app": (
            lambda s: jobs.page(s, owner="app:1", statuses=(), cursor=None, limit=50),
            "jobs_owner_created",
        ),
        "unfinished jobs": (
            lambda s: jobs.page(s, owner=None, statuses=["queued"], cursor=None, limit=50),
            "jobs_status",
        ),
        "all jobs": (lambda s: jobs.page(s, owner=None, statuses=(), cursor=None, limit=50), "jobs_created"),
        "all jobs, next page": (lambda s: jobs.page(s, owner=None, statuses=(), cursor=deep, limit=50), "jobs_created"),
        "job of a key": (lambda s: jobs.find_by_idempotency_key(s, "app:7", "k"), key),
    }
    scans = {}
    for question, (read, index) in questions.items():
        plan = explained(full_database, read)
        assert index in plan, (question, plan)
        if re.search(r"Seq Scan|^SCAN (approvals|decisions|jobs|executions)$", plan, re.MULTILINE):
            scans[question] = plan
    assert scans == {}


def test_few_among_many_that_wait_are_found_by_an_index(database: Database) -> None:
    rare = {7: {"owner": "app:small"}, 8: {"action": "rare"}, 9: {"job_id": "job_000001"}}
    add(database, Job, [job_row(0), job_row(1)])
    add(database, Approval, [approval_row(n, **rare.get(n, {})) for n in range(8000)])
    if not database.is_sqlite:  # which nobody does on SQLite
        with database.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
    questions: dict[str, dict[str, Any]] = {
        "approvals_owner_status": {"owner": "app:small"},
        "approvals_status_action": {"action": "rare"},
        "approvals_job_status": {"job_id": "job_000001"},
    }
    for index, wanted in questions.items():
        plan = explained(database, lambda s: approvals.page(s, statuses=["pending"], **wanted))  # noqa: B023
        # PostgreSQL, which knows that they are few, may sort what it finds by another index.
        assert index in plan or (not database.is_sqlite and "Index" in plan and "Seq Scan" not in plan), plan
