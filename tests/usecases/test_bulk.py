"""Several calls decided with one click: each by itself, about what was shown, and none that must be looked at alone."""

import pytest

from gateway.domain.approval import Approve, Reject
from gateway.usecases import bulk
from gateway.usecases.bulk import Pick
from tests.factories import ask, call, decide, load_approval, make_gateway, make_person, verdicts
from tests.fakes import RecordingTool


@pytest.fixture
def gateway(sqlite_database):
    only_a = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    tools = [
        RecordingTool("tag", risk="low", schema=only_a),
        RecordingTool("move", risk="medium"),
        RecordingTool("pay", risk="high"),
    ]
    return make_gateway(sqlite_database, *tools, undo_hold_s=30)


def picks(*rows):
    return [Pick(row.id, row.details_sha256) for row in rows]


def together(gateway, rows, choice, person=None, **more):
    return bulk.decide_many(
        gateway, person or make_person(gateway), rows, choice, **{"note": None, "channel": "page", **more}
    )


def statuses(gateway, rows):
    return [load_approval(gateway, row.id).status for row in rows]


def test_calls_of_one_tool_are_approved_and_the_others_are_skipped_with_the_reason(gateway):
    paid, first, second, odd, moved = rows = ask(
        gateway, call("pay"), call("tag"), call("tag", '{"a": 1}'), call("tag", '{"b": 1}'), call("move")
    )

    outcome = together(gateway, picks(*rows), Approve())

    assert [row.id for row in outcome.done] == [first.id, second.id]
    assert [one.approval_id for one in outcome.skipped] == [paid.id, odd.id, moved.id]
    assert [one.why.split(":")[0] for one in outcome.skipped] == [
        "Its risk is high",
        "Something is to be read before it is decided.",
        "It is a call of another tool",
    ]
    assert statuses(gateway, rows) == ["pending", "approved", "approved", "pending", "pending"]


def test_high_risk_is_never_approved_together(gateway):
    rows = ask(gateway, call("pay"), call("pay"))

    outcome = together(gateway, picks(*rows), Approve())

    assert outcome.done == []
    assert {one.why for one in outcome.skipped} == {"Its risk is high: look at it by itself."}


def test_each_call_is_guarded_by_what_was_shown_and_by_who_came_first(gateway):
    stale, taken, good = rows = ask(gateway, call("tag"), call("tag"), call("tag"))
    decide(gateway, make_person(gateway), taken, Reject())
    chosen = [Pick(stale.id, "0" * 64), *picks(taken, good), Pick("apr_nothing", "0" * 64)]

    outcome = together(gateway, chosen, Approve())

    assert [row.id for row in outcome.done] == [good.id]
    assert [one.approval_id for one in outcome.skipped] == [stale.id, taken.id, "apr_nothing"]
    assert "already decided" in outcome.skipped[1].why
    assert statuses(gateway, rows) == ["pending", "rejected", "approved"]


def test_calls_of_any_tool_and_risk_are_rejected_with_one_note(gateway):
    rows = ask(gateway, call("tag"), call("pay"), call("tag", '{"b": 1}'))

    outcome = together(gateway, picks(*rows), Reject(), note="Not today.")

    assert len(outcome.done) == 3
    assert [verdicts(gateway, row.id) for row in rows] == [[("reject", "person")]] * 3


def test_what_was_approved_together_is_undone_together_until_its_release(gateway):
    person = make_person(gateway)
    rows = ask(gateway, call("tag"), call("tag"))
    together(gateway, picks(*rows), Approve(), person)

    outcome = bulk.undo_many(gateway, person, [row.id for row in rows] + ["apr_x"], channel="page")

    assert len(outcome.done) == 2
    assert [one.approval_id for one in outcome.skipped] == ["apr_x"]
    assert statuses(gateway, rows) == ["pending", "pending"]


def test_what_only_informs_keeps_no_call_from_being_approved_together(gateway):
    rows = ask(gateway, call("move", '{"url": "https://example.com/a"}'), call("move", '{"text": "a\\u202eb"}'))

    outcome = together(gateway, picks(*rows), Approve())

    assert [row.id for row in outcome.done] == [rows[0].id]
    assert [one.why for one in outcome.skipped] == ["Something is to be read before it is decided."]
