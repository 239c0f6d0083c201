"""Who may decide, on what, and every refusal; each refusal leaves the approval and the log as they were."""

import json
from typing import Any

import pytest
from sqlmodel import col, update

from gateway.domain.approval import Approve, Choice, Reject, Respond
from gateway.domain.permission import AppActor, PersonActor, Role
from gateway.errors import (
    AlreadyDecided,
    Expired,
    GatewayError,
    InvalidDetails,
    InvalidJson,
    NotAllowed,
    NoteRequired,
    NotFound,
    OwnRequest,
    StaleDetails,
    TooLarge,
    ToolChanged,
)
from gateway.store.session import Database
from gateway.store.tables import Approval, Person
from gateway.usecases import accounts, approvals
from gateway.usecases.approvals import Ruling
from gateway.usecases.gateway import Gateway
from tests.factories import (
    ANY_SHA256,
    ago,
    ask,
    call,
    change_approval,
    decide,
    event_names,
    load_approval,
    load_decisions,
    load_events,
    load_job,
    make_gateway,
    make_person,
    run,
    tool_results,
    verdicts,
)
from tests.fakes import RecordingTool

SCHEMA = {
    "type": "object",
    "properties": {"amount": {"type": "number", "maximum": 500}, "to": {"type": "string"}},
    "required": ["amount"],
}
ARGUMENTS = '{"amount": 1.0, "to": "a"}'


def refuse(
    gateway: Gateway, error: type[GatewayError], person: PersonActor, approval: Approval,
    choice: Choice | None = None, **ruling: Any,
) -> GatewayError:  # fmt: skip
    """The decision is refused with ``error``, and nothing that can be seen has changed."""
    before = (load_approval(gateway, approval.id).model_dump(), verdicts(gateway, approval.id))
    with pytest.raises(error) as caught:
        decide(gateway, person, approval, choice, **ruling)
    assert (load_approval(gateway, approval.id).model_dump(), verdicts(gateway, approval.id)) == before
    return caught.value


def test_second_decision_is_refused_and_told_who_was_first(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    first, second = make_person(gateway), make_person(gateway)
    [approval] = ask(gateway, call("send"))
    decide(gateway, first, approval, Reject(), note="no")

    for person, choice in ((second, Approve()), (second, Reject()), (first, Approve()), (first, Respond("x"))):
        error = refuse(gateway, AlreadyDecided, person, approval, choice)

        [row] = load_decisions(gateway, approval.id)
        assert (error.facts["decided_by"], error.facts["verdict"]) == (first.name, "reject")
        assert error.facts["decided_at"] == row.at.isoformat()
        assert first.name in error.message


@pytest.mark.parametrize(
    "choice",
    [Approve(), Approve('{"amount": 2}'), Reject(), Respond("done")],
    ids=["approve", "edit", "reject", "answer"],
)
def test_same_decision_again_gives_the_first_one(database: Database, choice: Choice) -> None:
    gateway = make_gateway(database, RecordingTool(schema=SCHEMA))
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    first = decide(gateway, reviewer, approval, choice, note="first")
    events = event_names(gateway, approval.job_id or "")

    again = decide(gateway, reviewer, approval, choice, note="second")

    assert (again.decision_id, again.decided_at) == (first.decision_id, first.decided_at)
    [row] = load_decisions(gateway, approval.id)
    assert (row.id, row.note) == (first.decision_id, "first")
    assert event_names(gateway, approval.job_id or "") == events


@pytest.mark.parametrize("other", [Approve('{"amount": 3}'), Approve(), Approve('{"amount": 2.0}')])
def test_another_edit_is_another_decision(database: Database, other: Choice) -> None:
    gateway = make_gateway(database, RecordingTool(schema=SCHEMA))
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    decide(gateway, reviewer, approval, Approve('{"amount": 2}'))

    refuse(gateway, AlreadyDecided, reviewer, approval, other)


def test_another_response_is_another_decision(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send"))
    decide(gateway, reviewer, approval, Respond("yes"))

    refuse(gateway, AlreadyDecided, reviewer, approval, Respond("no"))


def test_decision_on_other_arguments_than_these_is_refused(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    [approval] = ask(gateway, call("send"))

    for choice in (Approve(), Reject(), Respond("x")):
        error = refuse(gateway, StaleDetails, make_person(gateway), approval, choice, details_sha256=ANY_SHA256)
        assert error.facts["details_sha256"] == approval.details_sha256


def test_unknown_approval_is_not_found(database: Database) -> None:
    gateway = make_gateway(database)
    ruling = Ruling(choice=Approve(), details_sha256=ANY_SHA256)

    with pytest.raises(NotFound):
        approvals.decide(gateway, make_person(gateway), "apr_nothing", ruling)


def test_changed_tool_is_refused_once_with_the_difference_and_then_decidable(database: Database) -> None:
    tool = RecordingTool(schema=SCHEMA, title="Send {amount}")
    gateway = make_gateway(database, tool)
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send", ARGUMENTS))
    newer = {"type": "object", "properties": {"amount": {"type": "string"}}}
    tool.define(name="send", schema=newer, title="Really send {amount}", risk="critical")

    with pytest.raises(ToolChanged) as caught:
        decide(gateway, reviewer, approval)

    assert caught.value.facts["before"]["schema"] == SCHEMA
    assert caught.value.facts["after"]["schema"] == newer
    seen = load_approval(gateway, approval.id)
    assert (seen.status, seen.title, seen.risk) == ("pending", "Really send 1.0", "critical")
    assert [warning["code"] for warning in json.loads(seen.warnings)] == ["tool_changed", "schema_mismatch"]
    assert verdicts(gateway, approval.id) == []
    assert event_names(gateway, approval.job_id or "")[-1] == "approval.changed"

    decide(gateway, reviewer, approval)
    run(gateway, approval)
    assert tool.received == [ARGUMENTS]
    assert verdicts(gateway, approval.id) == [("approve", "person")]


def test_changed_tool_does_not_keep_anybody_from_rejecting(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send"))
    tool.define(name="send", schema=SCHEMA)

    assert decide(gateway, make_person(gateway), approval, Reject()).status == "rejected"


def test_removed_tool_can_never_be_approved(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send"))
    without = make_gateway(database)

    for _ in range(2):
        with pytest.raises(ToolChanged) as caught:
            decide(without, reviewer, approval)
        assert caught.value.facts["after"] is None
    [warning] = json.loads(load_approval(without, approval.id).warnings)
    assert (warning["code"], "no longer registered" in warning["message"]) == ("tool_changed", True)
    assert decide(without, reviewer, approval, Reject()).status == "rejected"


@pytest.mark.parametrize("choice", [Approve(), Reject(), Respond("late")], ids=["approve", "reject", "respond"])
def test_decision_after_its_time_is_refused_and_the_expiry_stays_written(database: Database, choice: Choice) -> None:
    tool = RecordingTool(expires_after_s=3600)
    gateway = make_gateway(database, tool)
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send"))
    change_approval(gateway, approval.id, expires_at=ago(gateway, 0.001))

    for _ in range(2):
        with pytest.raises(Expired):
            decide(gateway, reviewer, approval, choice)

    expired = load_approval(gateway, approval.id)
    assert (expired.status, expired.retryable) == ("expired", True)
    assert verdicts(gateway, approval.id) == [("expire", "system")]
    assert tool_results(gateway, approval.job_id or "") == [gateway.wording.expired]
    assert load_job(gateway, approval.job_id or "").status == "running"
    run(gateway, approval)
    assert tool.calls == []


def test_decision_within_its_time_stands_after_it(database: Database) -> None:
    tool = RecordingTool(expires_after_s=3600)
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send"))
    assert approval.expires_at is not None
    assert (approval.expires_at - approval.created_at).total_seconds() == 3600

    decide(gateway, make_person(gateway), approval)
    change_approval(gateway, approval.id, expires_at=ago(gateway, 60))
    assert approvals.expire_due(gateway) == 0
    run(gateway, approval)

    assert len(tool.calls) == 1


@pytest.mark.parametrize(
    ("edited", "pointers"),
    [
        ('{"amount": 501}', ["/amount"]),
        ('{"amount": "1", "to": 2}', ["/amount", "/to"]),
        ("{}", [""]),
    ],
)
def test_edit_against_the_schema_is_refused_place_by_place(
    database: Database, edited: str, pointers: list[str]
) -> None:
    gateway = make_gateway(database, RecordingTool(schema=SCHEMA))
    [approval] = ask(gateway, call("send", ARGUMENTS))

    error = refuse(gateway, InvalidDetails, make_person(gateway), approval, Approve(edited))

    assert sorted(one["pointer"] for one in error.facts["errors"]) == pointers
    assert all(one["message"] for one in error.facts["errors"])


@pytest.mark.parametrize(
    ("edited", "error"),
    [
        ("{", InvalidJson),
        ('{"amount": 1, "amount": 2}', InvalidJson),
        ('{"amount": NaN}', InvalidJson),
        ("[1]", InvalidJson),
        ("null", InvalidJson),
        ('{"to": "' + "x" * 200_000 + '"}', TooLarge),
    ],
)
def test_edit_must_be_strict_json(database: Database, edited: str, error: type[GatewayError]) -> None:
    gateway = make_gateway(database, RecordingTool(schema=SCHEMA))
    [approval] = ask(gateway, call("send", ARGUMENTS))

    refuse(gateway, error, make_person(gateway), approval, Approve(edited))


def test_empty_object_is_an_edit(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send", ARGUMENTS))

    decide(gateway, make_person(gateway), approval, Approve("{}"))
    run(gateway, approval)

    assert tool.received == ["{}"]
    assert load_approval(gateway, approval.id).modified_details == "{}"


@pytest.mark.parametrize(
    ("asked", "edited", "is_an_edit"),
    [
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}', False),
        ('{"a": "\\u00e9"}', '{"a": "é"}', False),
        ('{"a": 1}', '{"a": 1.0}', True),
        ('{"a": 1}', '{"a": true}', True),
        ('{"a": 1.0}', '{"a": 1.00}', True),
        ('{"a": 1}', '{"a": "1"}', True),
        ('{"a": null}', "{}", True),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', True),
        ('{"a": 12345678901234567890}', '{"a": 12345678901234567891}', True),
    ],
)
def test_edit_counts_by_structure_and_literals(database: Database, asked: str, edited: str, is_an_edit: bool) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    [approval] = ask(gateway, call("send", asked))

    decided = decide(gateway, make_person(gateway), approval, Approve(edited))
    run(gateway, approval)

    assert decided.modified_details == (edited if is_an_edit else None)
    assert tool.received == [edited if is_an_edit else asked]
    [row] = load_decisions(gateway, approval.id)
    assert (row.effective_sha256 != row.details_sha256) is is_an_edit


@pytest.mark.parametrize("choice", [Approve(), Reject(), Respond("x")], ids=["approve", "reject", "respond"])
def test_tool_that_needs_a_note_gets_none_undecided(database: Database, choice: Choice) -> None:
    gateway = make_gateway(database, RecordingTool(note_required=True))
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send"))

    for note in (None, "", "  \n"):
        refuse(gateway, NoteRequired, reviewer, approval, choice, note=note)
    decide(gateway, reviewer, approval, choice, note="because")

    [row] = load_decisions(gateway, approval.id)
    assert row.note == "because"


@pytest.mark.parametrize("choice", [Approve(), Reject(), Respond("x")], ids=["approve", "reject", "respond"])
def test_nobody_decides_what_was_asked_for_them(database: Database, choice: Choice) -> None:
    gateway = make_gateway(database, RecordingTool())
    customer = make_person(gateway)
    [approval] = ask(gateway, call("send"), on_behalf_of=customer.email.upper())

    refuse(gateway, OwnRequest, customer, approval, choice)


def test_nobody_decides_what_they_submitted_for_whomever(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    submitter, other = make_person(gateway, role=Role.ADMIN), make_person(gateway)
    [own] = ask(gateway, call("send"), actor=submitter)
    [for_other] = ask(gateway, call("send"), actor=submitter, on_behalf_of=other.email)

    refuse(gateway, OwnRequest, submitter, own)
    refuse(gateway, OwnRequest, submitter, for_other)
    refuse(gateway, OwnRequest, other, for_other)
    assert decide(gateway, other, own).status == "approved"


def test_own_requests_are_decidable_where_the_setting_allows_it_and_the_row_says_so(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(), allow_own_requests=True)
    person, other = make_person(gateway), make_person(gateway)
    [own] = ask(gateway, call("send"), actor=person)
    [for_them] = ask(gateway, call("send"), on_behalf_of=person.email)
    [submitted] = ask(gateway, call("send"), actor=person, on_behalf_of=other.email)
    [foreign] = ask(gateway, call("send"), on_behalf_of=other.email)

    for approval in (own, for_them, submitted, foreign):
        decide(gateway, person, approval, reason_code="checked")

    notes = [load_decisions(gateway, one.id)[0].reason_code for one in (own, for_them, submitted, foreign)]
    assert notes == ["own_request_allowed"] * 3 + ["checked"]
    assert load_approval(gateway, own.id).reason_code == "checked"


def test_auditors_do_not_decide(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    [approval] = ask(gateway, call("send"))

    refuse(gateway, NotAllowed, make_person(gateway, role=Role.AUDITOR), approval)


def test_admins_decide(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    [approval] = ask(gateway, call("send"))

    decide(gateway, make_person(gateway, role=Role.ADMIN), approval)

    assert load_decisions(gateway, approval.id)[0].actor_role == "admin"


def test_role_is_the_one_of_the_database_not_of_the_credential(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    person = make_person(gateway)
    [approval] = ask(gateway, call("send"))
    with database.write() as session:
        session.exec(update(Person).where(col(Person.id) == person.id).values(role=Role.AUDITOR))

    refuse(gateway, NotAllowed, person, approval)


def test_disabled_person_does_not_decide(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    person, stranger = make_person(gateway), PersonActor(id="per_x", email="x@y.z", name="x", role=Role.ADMIN)
    [approval] = ask(gateway, call("send"))
    accounts.disable_person(gateway, email=person.email)

    refuse(gateway, NotAllowed, person, approval)
    refuse(gateway, NotAllowed, stranger, approval)


def test_apps_have_no_way_to_decide() -> None:
    assert not hasattr(AppActor, "role"), "deciding takes a person: an app has no role that could allow it"


def test_what_nobody_decided_in_time_expires(database: Database) -> None:
    tool = RecordingTool(expires_after_s=60)
    gateway = make_gateway(database, tool)
    late, early = ask(gateway, call("send"), call("send"))
    change_approval(gateway, late.id, expires_at=ago(gateway, 1))

    assert approvals.expire_due(gateway) == 1
    assert approvals.expire_due(gateway) == 0

    assert load_approval(gateway, late.id).status == "expired"
    assert verdicts(gateway, late.id) == [("expire", "system")]
    assert load_approval(gateway, early.id).status == "pending"
    assert tool_results(gateway, late.job_id or "") == [gateway.wording.expired]
    assert load_job(gateway, late.job_id or "").status == "waiting", "its sibling still awaits a person"
    [event] = [one for one in load_events(gateway, late.job_id or "") if one.name == "approval.expired"]
    assert event.approval_id == late.id


def test_decision_row_carries_everything_about_the_decision(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    reviewer = make_person(gateway)
    [approval] = ask(gateway, call("send", '{"a": 1}'))
    change_approval(gateway, approval.id, created_at=ago(gateway, 90))

    decided = decide(gateway, reviewer, approval, Approve('{"a": 2}'), note="n", reason_code="r", channel="page")

    [row] = load_decisions(gateway, approval.id)
    assert row.id == decided.decision_id
    assert (row.approval_id, row.job_id, row.app, row.origin, row.action) == (
        approval.id, approval.job_id, approval.app, "job", "send",
    )  # fmt: skip
    assert (row.actor_id, row.actor_name, row.channel, row.note, row.reason_code) == (
        reviewer.id, reviewer.name, "page", "n", "r",
    )  # fmt: skip
    assert 90_000 <= row.waited_ms < 120_000
    assert row.at == decided.decided_at
