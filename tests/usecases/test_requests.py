"""What programs ask for themselves: each request once, like every other approval, and nothing of it runs here."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.approval import Approve, Reject
from gateway.domain.event import EventName
from gateway.errors import DatabaseUnavailable, IdempotencyKeyReused, InvalidDetails, NotUndoable
from gateway.store import approvals, decisions, events
from gateway.usecases import approvals as usecase
from gateway.usecases import assigning, audit, extending, revealing
from gateway.usecases.requests import ActionRequest, file_request
from tests.factories import decide, load_approval, make_app, make_gateway, make_person, verdicts
from tests.fakes import RecordingTool

ASKED = ActionRequest(origin="cheqpoint", action="refund", summary="Refund it", details='{"amount": 249.00}')
SCHEMA = {"type": "object", "properties": {"amount": {"type": "number", "maximum": 500}, "card": {"type": "string"}}}


@pytest.fixture
def gateway(database):
    return make_gateway(database)


def count(gateway, *apps):
    with gateway.database.read() as session:
        return sum(len(approvals.page(session, owner=app.owner).items) for app in apps)


def test_many_at_once_with_one_key_file_one_request(gateway):
    app, asked = make_app(), replace(ASKED, idempotency_key="one")

    with ThreadPoolExecutor(8) as pool:
        filed = [done.result() for done in [pool.submit(file_request, gateway, app, asked) for _ in range(24)]]

    assert len({one.approval.id for one in filed}) == 1
    assert [one.is_replay for one in filed].count(False) == 1
    assert count(gateway, app) == 1


@pytest.mark.parametrize("is_kept", [False, True])
def test_retry_of_what_nobody_heard_of_files_it_once(monkeypatch, gateway, is_kept):
    """The connection is lost before the commit, or with its acknowledgement; the program asks again with its key."""
    app, asked = make_app(), replace(ASKED, idempotency_key="one")
    write = gateway.database.write

    @contextmanager
    def lost():
        with write() as session:
            yield session
            if not is_kept:
                raise DatabaseUnavailable
        raise DatabaseUnavailable

    with monkeypatch.context() as during:
        during.setattr(gateway.database, "write", lost)
        with pytest.raises(DatabaseUnavailable):
            file_request(gateway, app, asked)
    assert count(gateway, app) == int(is_kept)

    assert file_request(gateway, app, asked).is_replay is is_kept
    assert count(gateway, app) == 1


def test_key_belongs_to_its_app_and_to_one_request(gateway):
    one, other, asked = make_app(), make_app(), replace(ASKED, idempotency_key="one")
    first = file_request(gateway, one, asked).approval

    assert file_request(gateway, other, asked).approval.id != first.id
    with pytest.raises(IdempotencyKeyReused):
        file_request(gateway, one, replace(asked, details="{}"))
    assert count(gateway, one, other) == 2


def test_same_request_within_the_window_is_the_first_ones_retry(database):
    gateway, app = make_gateway(database, same_request_window_s=60), make_app()

    with ThreadPoolExecutor(8) as pool:
        filed = [done.result() for done in [pool.submit(file_request, gateway, app, ASKED) for _ in range(16)]]

    assert len({one.approval.id for one in filed}) == 1
    assert file_request(gateway, make_app(), ASKED).approval.id != filed[0].approval.id
    assert file_request(gateway, app, replace(ASKED, details='{"amount": 249.0}')).is_replay is False


def test_window_ends(stepped_database):
    gateway, app = make_gateway(stepped_database, same_request_window_s=60), make_app()
    first = file_request(gateway, app, ASKED).approval
    stepped_database.pass_time(59)
    assert file_request(gateway, app, ASKED).approval.id == first.id
    stepped_database.pass_time(2)

    assert file_request(gateway, app, ASKED).approval.id != first.id


def test_request_that_expired_may_be_asked_again_within_the_window(stepped_database):
    gateway = make_gateway(stepped_database, same_request_window_s=600, expires_after_s=10)
    app = make_app()
    first = file_request(gateway, app, ASKED).approval
    stepped_database.pass_time(11)
    usecase.expire_due(gateway)

    again = file_request(gateway, app, ASKED)

    assert (again.is_replay, again.approval.status) == (False, "pending")
    assert again.approval.id != first.id


def test_undo_that_was_held_up_until_the_release_is_refused(monkeypatch, stepped_database):
    """Whoever asked may have been told by then: the log's end is where all decisions wait for each other."""
    gateway = make_gateway(stepped_database, undo_hold_s=30)
    person = make_person(gateway)
    row = file_request(gateway, make_app(), ASKED).approval
    decide(gateway, person, row, Approve(), channel="page")
    append = decisions.append

    def append_late(session, entries):
        append(session, entries)
        stepped_database.pass_time(31)

    with monkeypatch.context() as held_up:
        held_up.setattr(decisions, "append", append_late)
        with pytest.raises(NotUndoable):
            usecase.undo(gateway, person, row.id)

    assert load_approval(gateway, row.id).status == "approved"
    assert verdicts(gateway, row.id) == [("approve", "person")]


def test_action_with_the_name_of_a_tool_is_a_call_of_it(database):
    tool = RecordingTool(
        "refund", schema=SCHEMA, title="Refund {amount}", risk="low", secret=("/card",), expires_after_s=60,
        note_required=True,
    )  # fmt: skip
    gateway, person = make_gateway(database, tool), make_person(make_gateway(database))
    asked = replace(ASKED, details='{"amount": 900, "card": "4111"}')

    row = file_request(gateway, make_app(), asked).approval

    assert (row.title, row.risk, row.note_required) == ("Refund 900", "low", True)
    assert "schema_mismatch" in row.warnings
    assert row.expires_at == row.created_at + timedelta(seconds=60)
    with pytest.raises(InvalidDetails):
        decide(gateway, person, row, Approve('{"amount": 901}'), note="no")
    assert revealing.reveal(gateway, person, row.id, None, channel="api").values == {"/card": '"4111"'}
    with gateway.database.read() as session:
        [seen] = events.of_call(session, row, EventName.APPROVAL_REVEALED)
    assert person.name in seen.data


@pytest.mark.parametrize(("score", "risk"), [(0.1, "high"), (0.9, "critical"), (None, "high")])
def test_who_asks_cannot_call_a_tools_risk_slighter(database, score, risk):
    gateway = make_gateway(database, RecordingTool("refund", risk="high"))

    assert file_request(gateway, make_app(), replace(ASKED, risk_score=score)).approval.risk == risk
    slight = replace(ASKED, risk="low")
    assert file_request(gateway, make_app(), slight).approval.risk == "high"
    assert file_request(gateway, make_app(), replace(slight, action="else")).approval.risk == "low"


def test_decisions_about_it_are_in_the_log_like_all_others(gateway):
    person = make_person(gateway)
    approved, rejected, undone = (file_request(gateway, make_app(), ASKED).approval for _ in range(3))
    decide(gateway, person, approved, Approve('{"amount": 199.00}'))
    decide(gateway, person, rejected, Reject(), note="No")
    held = make_gateway(gateway.database, undo_hold_s=60)
    decide(held, person, undone, Approve('{"amount": 1}'), channel="page")
    usecase.undo(held, person, undone.id)

    assert [verdicts(gateway, one.id) for one in (approved, rejected, undone)] == [
        [("approve", "person")],
        [("reject", "person")],
        [("approve", "person"), ("undo", "person")],
    ]
    assert load_approval(gateway, undone.id).status == "pending"
    assert load_approval(gateway, approved.id).modified_details == '{"amount": 199.00}'
    assert audit.verify(gateway).break_ is None


def test_it_expires_is_extended_and_assigned_like_all_others(stepped_database):
    gateway = make_gateway(stepped_database, expires_after_s=60)
    person = make_person(gateway)
    late, kept = (file_request(gateway, make_app(), ASKED).approval for _ in range(2))
    extending.extend(gateway, person, kept.id, kept.created_at + timedelta(hours=1))
    assigning.assign(gateway, person, kept.id, "me")
    stepped_database.pass_time(61)

    assert usecase.expire_due(gateway) == 1

    assert (load_approval(gateway, late.id).status, load_approval(gateway, late.id).retryable) == ("expired", True)
    assert (load_approval(gateway, kept.id).status, load_approval(gateway, kept.id).assignee) == ("pending", person.id)
    assert decide(gateway, person, kept).status == "approved"
