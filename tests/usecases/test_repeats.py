"""Calls that the model asks for again after they were rejected."""

import json
from typing import Any

import pytest

from gateway.domain.approval import Approve, Choice, Reject, Respond
from gateway.domain.permission import PersonActor
from gateway.store.session import Database
from gateway.store.tables import Approval
from gateway.usecases import approvals, audit
from gateway.usecases.gateway import Gateway
from tests.factories import (
    ago,
    answer_turn,
    call,
    change_approval,
    decide,
    event_names,
    load_approvals,
    load_decisions,
    load_job,
    make_gateway,
    make_person,
    run,
    submit,
    tool_results,
    transcript,
)
from tests.fakes import RecordingTool

ARGUMENTS = '{"amount": 249.00, "to": ["a", {"b": 1, "c": null}]}'
SAME = '{ "to":["\\u0061",{"c":null,"b":1}],\n"amount":249.00}'


def make(database: Database, **policy: Any) -> tuple[Gateway, PersonActor]:
    gateway = make_gateway(database, RecordingTool(), RecordingTool("write"), **policy)
    return gateway, make_person(gateway)


def rejected_once(gateway: Gateway, person: PersonActor, arguments: str = ARGUMENTS, **job: Any) -> Approval:
    """The first call of a new job, rejected with a note."""
    [first] = answer_turn(gateway, submit(gateway, **job).job.id, call("send", arguments))
    return decide(gateway, person, first, Reject(), note="Too much.")


def repeated_warnings(approval: Approval) -> list[str]:
    return [one["message"] for one in json.loads(approval.warnings) if one["code"] == "repeated_call"]


def test_same_call_again_is_linked_and_warned_of(database: Database) -> None:
    gateway, person = make(database)
    first = rejected_once(gateway, person)

    [again] = answer_turn(gateway, first.job_id or "", call("send", SAME))

    assert (again.status, again.repeat_of, again.repeats) == ("pending", first.id, 1)
    assert (again.details, load_job(gateway, first.job_id or "").rejections) == (SAME, 1)
    [row] = load_decisions(gateway, first.id)
    assert repeated_warnings(again) == [
        f"{person.name} rejected the same call on {row.at:%Y-%m-%d at %H:%M:%S} UTC, with the note “Too much.”. "
        "This is attempt 2."
    ]
    assert json.loads(again.warnings)[0] == {
        "code": "repeated_call", "path": "", "message": repeated_warnings(again)[0],
    }  # fmt: skip
    assert (first.repeat_of, first.repeats, repeated_warnings(first)) == (None, 0, [])


def test_every_further_attempt_is_counted_and_names_the_last_rejection(database: Database) -> None:
    gateway, person = make(database)
    calls = [rejected_once(gateway, person)]

    for number in (1, 2, 3):
        [again] = answer_turn(gateway, calls[0].job_id or "", call("send", ARGUMENTS))
        assert (again.repeat_of, again.repeats) == (calls[-1].id, number)
        calls.append(decide(gateway, person, again, Reject()))

    assert ", without a note. This is attempt 4." in repeated_warnings(calls[-1])[0]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("write", ARGUMENTS),
        ("send", ARGUMENTS.replace("249.00", "249")),
        ("send", ARGUMENTS.replace("249.00", "249.0")),
        ("send", ARGUMENTS.replace("null", "false")),
        ("send", ARGUMENTS.replace('"a", ', "")),
        ("send", ARGUMENTS.replace('"amount": 249.00', '"amount": "249.00"')),
        ("send", "{}"),
        ("send", '{"amount": '),
        ("nothing\ud800", ARGUMENTS),
    ],
)
def test_another_call_is_no_repeat(database: Database, name: str, arguments: str) -> None:
    gateway, person = make(database)
    first = rejected_once(gateway, person)

    [other] = answer_turn(gateway, first.job_id or "", call(name, arguments))

    assert (other.repeat_of, other.repeats, repeated_warnings(other)) == (None, 0, [])


def test_another_job_is_another_matter(database: Database) -> None:
    gateway, person = make(database)
    rejected_once(gateway, person)
    other = rejected_once(gateway, person, '{"other": 1}')

    [same] = answer_turn(gateway, other.job_id or "", call("send", ARGUMENTS))

    assert same.repeat_of is None


@pytest.mark.parametrize("choice", [Approve(), Approve('{"amount": 1}'), Respond("Sent by hand.")])
def test_call_that_was_granted_since_is_no_repeat_any_more(database: Database, choice: Choice) -> None:
    gateway, person = make(database)
    first = rejected_once(gateway, person)
    [again] = answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))
    decide(gateway, person, again, choice)
    run(gateway, again)

    [third] = answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))

    assert third.repeat_of is None


def test_repeat_that_expired_still_repeats_the_rejection(database: Database) -> None:
    gateway, person = make(database)
    first = rejected_once(gateway, person)
    [again] = answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))
    change_approval(gateway, again.id, expires_at=ago(gateway, 1))
    approvals.expire_due(gateway)

    [third] = answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))

    assert (third.repeat_of, third.repeats) == (first.id, 2)


def test_call_that_was_only_expired_was_never_rejected(database: Database) -> None:
    gateway, _ = make(database)
    [first] = answer_turn(gateway, submit(gateway).job.id, call("send", ARGUMENTS))
    change_approval(gateway, first.id, expires_at=ago(gateway, 1))
    approvals.expire_due(gateway)

    [again] = answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))

    assert (again.repeat_of, load_job(gateway, first.job_id or "").rejections) == (None, 0)


def test_call_that_the_job_may_not_make_is_counted_too(database: Database) -> None:
    gateway, _ = make(database)
    job = submit(gateway, permission="deny", max_repeats=1).job

    for _ in range(3):
        answer_turn(gateway, job.id, call("send", ARGUMENTS))

    assert [row.repeats for row in load_approvals(gateway, job.id)] == [0, 1]
    assert load_job(gateway, job.id).error_code == "max_repeats"


def test_warning_stays_when_the_tool_changes(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    person = make_person(gateway)
    first = rejected_once(gateway, person)
    [again] = answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))
    tool.define(name="send", schema={"type": "object", "properties": {"amount": {"type": "integer"}}})

    with pytest.raises(Exception, match="changed"):
        decide(gateway, person, again)

    codes = [one["code"] for one in json.loads(load_approvals(gateway, first.job_id or "")[-1].warnings)]
    assert codes[:2] == ["tool_changed", "repeated_call"]


@pytest.mark.parametrize("max_repeats", [0, 1, 2])
def test_one_repeat_too_many_ends_the_job_with_a_balanced_transcript(database: Database, max_repeats: int) -> None:
    gateway, person = make(database)
    earlier = rejected_once(gateway, person, max_repeats=max_repeats)
    job_id = earlier.job_id or ""
    for _ in range(max_repeats):
        [again] = answer_turn(gateway, job_id, call("send", SAME))
        decide(gateway, person, again, Reject())
    opened = len(load_approvals(gateway, job_id))

    answer_turn(gateway, job_id, call("write", '{"n": 1}'), call("send", ARGUMENTS), call("shop.odd name"))

    job = load_job(gateway, job_id)
    assert (job.status, job.error_code, job.rounds) == ("failed", "max_repeats", max_repeats + 2)
    assert job.error_message is not None
    assert f"send that had been rejected: repeat {max_repeats + 1}" in job.error_message
    assert len(load_approvals(gateway, job_id)) == opened, "none of the turn's calls is opened"
    *_, assistant, one, two, three = transcript(gateway, job_id)
    assert [message["tool_call_id"] for message in (one, two, three)] == [
        made["id"] for made in assistant["tool_calls"]
    ]
    assert tool_results(gateway, job_id)[-3:] == ["Not executed: limit of repeated calls."] * 3
    assert event_names(gateway, job_id)[-2:] == ["turn.answered", "job.failed"]
    assert audit.verify(gateway).break_ is None


def test_equal_calls_of_one_turn_count_once(database: Database) -> None:
    gateway, person = make(database)
    first = rejected_once(gateway, person, max_repeats=1)

    again = answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS), call("send", SAME))

    assert [(one.status, one.repeats) for one in again] == [("pending", 1)] * 2


def test_job_that_names_no_number_has_the_gateways(database: Database) -> None:
    gateway, person = make(database, max_repeats=0)
    usual, own = rejected_once(gateway, person), rejected_once(gateway, person, max_repeats=5)

    for first in (usual, own):
        answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))

    assert load_job(gateway, usual.job_id or "").error_code == "max_repeats"
    assert load_job(gateway, own.job_id or "").status == "waiting"


def test_last_round_ends_the_job_by_its_own_limit(database: Database) -> None:
    gateway, person = make(database)
    first = rejected_once(gateway, person, max_rounds=2, max_repeats=0)

    answer_turn(gateway, first.job_id or "", call("send", ARGUMENTS))

    assert load_job(gateway, first.job_id or "").error_code == "max_rounds"


def test_call_like_a_rejected_one_names_where_it_differs(database: Database) -> None:
    gateway, person = make(database)
    first = rejected_once(gateway, person, '{"to": "a", "amount": 900, "pin": "1234"}')

    similar, other = answer_turn(
        gateway, first.job_id or "", call("send", '{"to": "a", "amount": 250, "pin": "5678"}'), call("write")
    )

    [warning] = json.loads(similar.warnings)
    assert (warning["code"], similar.repeat_of) == ("similar_call", None)
    said = f"{person.name} rejected a call of this tool in this job before. This one differs from it at /amount, /pin."
    assert warning["message"] == said
    assert json.loads(other.warnings) == []
