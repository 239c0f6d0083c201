"""Who looks at a call: said once, to everybody, and without a word about who may decide."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.domain.permission import ME, Role
from gateway.errors import AlreadyDecided, Expired, InvalidRequest, NotAllowed, NotFound, OwnRequest
from gateway.usecases import accounts, approvals
from gateway.usecases.assigning import assign
from tests.factories import (
    ago,
    ask,
    call,
    change_approval,
    decide,
    event_names,
    load_approval,
    load_events,
    make_gateway,
    make_person,
)
from tests.fakes import RecordingTool


@pytest.fixture
def gateway(database):
    return make_gateway(database, RecordingTool("refund"))


@pytest.fixture
def approval(gateway):
    return ask(gateway, call("refund"))[0]


def test_one_event_says_who_gave_it_to_whom(gateway, approval):
    rita, tom = make_person(gateway), make_person(gateway)

    assign(gateway, rita, approval.id, tom.email.upper())

    row = load_approval(gateway, approval.id)
    last = load_events(gateway, approval.job_id)[-1]
    assert (row.assignee, row.assigned_by, row.status) == (tom.id, rita.id, "pending")
    assert (last.name, last.approval_id) == ("approval.assigned", approval.id)
    assert json.loads(last.data) == {
        "by": rita.name, "person_id": rita.id, "assignee": tom.name, "assignee_id": tom.id, "channel": "api",
    }  # fmt: skip


def test_same_assignee_again_changes_nothing(gateway, approval):
    rita = make_person(gateway)
    first = assign(gateway, rita, approval.id, ME)
    before = event_names(gateway, approval.job_id)

    again = assign(gateway, make_person(gateway), approval.id, rita.id)

    assert (again.version, again.assigned_at) == (first.version, first.assigned_at)
    assert event_names(gateway, approval.job_id) == before


def test_given_back_it_is_nobodys(gateway, approval):
    rita = make_person(gateway)
    assign(gateway, rita, approval.id, ME)

    assign(gateway, make_person(gateway), approval.id, None)

    row = load_approval(gateway, approval.id)
    assert (row.assignee, row.assigned_by, row.assigned_at) == (None, None, None)
    assert event_names(gateway, approval.job_id).count("approval.assigned") == 2


def test_it_restricts_nobody(gateway, approval):
    assign(gateway, make_person(gateway), approval.id, ME)

    assert decide(gateway, make_person(gateway), approval).status == "approved"


def test_undone_approval_is_still_with_whom_it_was(gateway, approval):
    rita = make_person(gateway)
    assign(gateway, rita, approval.id, ME)
    decide(gateway, rita, approval, channel="page")

    assert approvals.undo(gateway, rita, approval.id).assignee == rita.id


def test_not_pending_any_more_is_refused_with_who_decided(gateway, approval):
    rita = make_person(gateway)
    decide(gateway, rita, approval)

    with pytest.raises(AlreadyDecided, match=rita.name):
        assign(gateway, make_person(gateway), approval.id, ME)


def test_too_late_it_has_expired_and_stays_so(gateway, approval):
    change_approval(gateway, approval.id, expires_at=ago(gateway, 1))

    with pytest.raises(Expired):
        assign(gateway, make_person(gateway), approval.id, ME)
    assert load_approval(gateway, approval.id).status == "expired"


@pytest.mark.parametrize("whom", ["auditor", "disabled", "nobody@example.com", "per_" + "0" * 26, "x"])
def test_only_active_people_who_may_decide_are_given_calls(gateway, approval, whom):
    if whom == "auditor":
        whom = make_person(gateway, role=Role.AUDITOR).id
    elif whom == "disabled":
        whom = accounts.disable_person(gateway, email=make_person(gateway).email).id

    with pytest.raises(InvalidRequest, match="no active reviewer or admin"):
        assign(gateway, make_person(gateway), approval.id, whom)
    assert load_approval(gateway, approval.id).assignee is None


def test_auditor_gives_nothing_to_anybody(gateway, approval):
    with pytest.raises(NotAllowed):
        assign(gateway, make_person(gateway, role=Role.AUDITOR), approval.id, make_person(gateway).id)


def test_call_that_was_asked_for_somebody_is_not_theirs_to_look_at(gateway):
    rita = make_person(gateway)
    (approval,) = ask(gateway, call("refund"), on_behalf_of=rita.email)

    with pytest.raises(OwnRequest):
        assign(gateway, rita, approval.id, ME)
    with pytest.raises(InvalidRequest, match="this very person"):
        assign(gateway, make_person(gateway), approval.id, rita.email)


def test_unknown_call_is_not_found(gateway):
    with pytest.raises(NotFound):
        assign(gateway, make_person(gateway), "apr_" + "0" * 26, ME)


def test_of_two_who_take_it_at_once_both_are_in_the_feed_and_one_has_it(gateway, approval):
    people = [make_person(gateway) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda person: assign(gateway, person, approval.id, ME), people))

    told = [json.loads(event.data) for event in load_events(gateway, approval.job_id) if "assigned" in event.name]
    assert {one["assignee_id"] for one in told} == {person.id for person in people}
    assert load_approval(gateway, approval.id).assignee == told[-1]["assignee_id"]
