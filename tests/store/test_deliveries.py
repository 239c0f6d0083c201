"""The outbox's questions: complete in pages, and answered by an index however long the log of messages is."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from gateway.domain.delivery import Target
from gateway.store import deliveries, pages
from gateway.store.session import Database, Session
from gateway.store.tables import Delivery
from tests.store.test_decision_log import START
from tests.store.test_pages import add, explained, walk


def row(number: int, **changes: Any) -> dict[str, Any]:
    at = START + timedelta(seconds=number // 3)  # three messages share each moment
    given = {
        "id": f"dlv_{number:06}",
        "event": "job.succeeded",
        "job_id": f"job_{number // 2:06}",
        "approval_id": None,
        "owner": "app:shop",
        "target": "callback",
        "url": "https://hooks.example.com/",
        "body": "{}",
        "form": "standard",
        "status": "delivered",
        "attempts": 1,
        "due_at": at,
        "created_at": at,
        "delivered_at": at,
    }
    return given | changes


def pending(number: int, **changes: Any) -> dict[str, Any]:
    return row(number, status="pending", attempts=0, delivered_at=None, **changes)


def test_pages_are_complete_newest_first_and_filtered(database: Database) -> None:
    add(
        database,
        Delivery,
        [
            row(n, owner=f"app:{n % 2}", status=("delivered", "failed")[n % 3 == 0], approval_id=f"apr_{n % 5}")
            for n in range(40)
        ],
    )

    def read(**wanted: Any) -> list[int]:
        given = {"owner": None, **wanted}
        return [int(one[4:]) for one in walk(database, lambda s, c: deliveries.page(s, cursor=c, limit=7, **given))]

    everything = list(range(39, -1, -1))
    assert read() == everything
    assert read(owner="app:1") == [n for n in everything if n % 2]
    assert read(statuses=["failed"]) == [n for n in everything if n % 3 == 0]
    assert read(job_id="job_000003") == [7, 6]
    assert read(approval_id="apr_4", owner="app:0") == [34, 24, 14, 4]


def test_call_has_one_message_to_reviewers_and_any_number_of_others(database: Database) -> None:
    notice = {"target": "notify", "approval_id": "apr_1", "url": None, "body": None}
    add(database, Delivery, [pending(1, **notice), row(2, approval_id="apr_1"), row(3, approval_id="apr_1")])
    with pytest.raises(IntegrityError):
        add(database, Delivery, [pending(4, **notice)])


@pytest.mark.parametrize("wrong", [{"status": "lost"}, {"target": "pager"}])
def test_unknown_states_are_refused_by_the_database(database: Database, wrong: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        add(database, Delivery, [row(1, **wrong)])


@pytest.fixture
def full_database(database: Database) -> Database:
    """Some thousand messages, nearly all of them done with."""
    told = {"target": "notify", "owner": "gateway", "url": None, "body": None}
    add(
        database,
        Delivery,
        [row(n, owner=f"app:{n % 30}", status="delivered" if n % 100 else "failed") for n in range(6000)],
    )
    add(database, Delivery, [row(n, approval_id=f"apr_{n}", **told) for n in range(6000, 8000)])
    add(database, Delivery, [pending(n, owner=f"app:{n % 5}") for n in range(8000, 8020)])
    add(database, Delivery, [pending(n, approval_id=f"apr_{n}", **told) for n in range(8020, 8030)])
    with database.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    return database


def explained_writing(database: Database, do: Callable[[Session], object]) -> str:
    """The plan of every statement that ``do`` sends, which may write."""
    sent: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", keep)
    with database.write() as session:
        do(session)
    event.remove(database.engine, "before_cursor_execute", keep)
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    lines: list[str] = []
    with database.engine.connect() as connection:
        for statement, parameters in sent:
            if statement.startswith(("SELECT", "WITH", "UPDATE")) and "advisory" not in statement:
                lines += [str(found[-1]) for found in connection.exec_driver_sql(explain + statement, parameters)]
    return "\n".join(lines)


def test_questions_are_answered_by_an_index(full_database: Database) -> None:
    now = START + timedelta(days=1)
    deep = pages.encode_cursor((START + timedelta(seconds=1000), "dlv_003000"))
    due = "deliveries_due"
    questions: dict[str, tuple[Callable[[Session], object], str]] = {
        "next due": (lambda s: deliveries.next_due(s, Target.CALLBACK), due),
        "next due of others": (lambda s: deliveries.next_due(s, Target.CALLBACK, but_owners=["app:1"]), due),
        "next notice": (lambda s: deliveries.next_due(s, Target.NOTIFY), due),
        "told lately": (lambda s: deliveries.notified_since(s, START + timedelta(seconds=2600)), "deliveries_notified"),
        "all": (lambda s: deliveries.page(s, owner=None), "deliveries_created"),
        "all, next page": (lambda s: deliveries.page(s, owner=None, cursor=deep), "deliveries_"),
        "of an app": (lambda s: deliveries.page(s, owner="app:7"), "deliveries_owner_created"),
        "of an app, next page": (lambda s: deliveries.page(s, owner="app:7", cursor=deep), "deliveries_"),
        "failed ones": (lambda s: deliveries.page(s, owner=None, statuses=["failed"]), "deliveries_"),
        "pending ones": (lambda s: deliveries.page(s, owner=None, statuses=["pending"]), "deliveries_"),
        "of a job": (lambda s: deliveries.page(s, owner=None, job_id="job_000007"), "deliveries_job"),
        "of an approval": (lambda s: deliveries.page(s, owner=None, approval_id="apr_7000"), "deliveries_"),
        "one": (lambda s: deliveries.find(s, "dlv_000007"), "deliveries"),
    }
    writes: dict[str, tuple[Callable[[Session], object], str]] = {
        "claim": (lambda s: deliveries.claim(s, now, now, at_most=4), due),
        "claim of others": (lambda s: deliveries.claim(s, now, now, at_most=4, but_owners=["app:1"]), due),
        "notices": (lambda s: deliveries.lock_notices(s, now, 100), due),
    }
    plans = {question: (explained(full_database, read), index) for question, (read, index) in questions.items()}
    plans |= {question: (explained_writing(full_database, do), index) for question, (do, index) in writes.items()}
    for question, (plan, index) in plans.items():
        assert index in plan, (question, plan)
        assert not re.search(r"Seq Scan on deliveries|^SCAN deliveries$", plan, re.MULTILINE), (question, plan)


def test_claim_is_one_statement(full_database: Database) -> None:
    sent: list[str] = []
    event.listen(full_database.engine, "before_cursor_execute", lambda *told: sent.append(told[2]))
    with full_database.write() as session:
        deliveries.claim(session, START + timedelta(days=1), START + timedelta(days=2), at_most=3)
    statements = [statement for statement in sent if "deliveries" in statement]
    assert len(statements) == 1
    assert full_database.is_sqlite or "FOR UPDATE SKIP LOCKED" in statements[0]
