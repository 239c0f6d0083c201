"""Submitting a job: what is kept of it, and Idempotency-Keys."""

import json

import pytest

from gateway.errors import IdempotencyKeyReused, UnknownTool
from gateway.store.session import Database
from gateway.usecases import turns
from tests.factories import (
    answer,
    call,
    event_names,
    load_job,
    make_app,
    make_gateway,
    make_person,
    submit,
    transcript,
)
from tests.fakes import RecordingTool


def test_submitted_job_waits_in_the_queue(database: Database) -> None:
    gateway, app = make_gateway(database, RecordingTool("a"), RecordingTool("b")), make_app("shop")
    body = '{"role": "user",  "content": "249.00 \\u00e9"}'

    submitted = submit(
        gateway, app, messages=(("system", '{"role":"system","content":"S"}'), ("user", body)),
        metadata_text='{"n": 1.0}', on_behalf_of="a@b.c", max_rounds=3,
    )  # fmt: skip

    job = load_job(gateway, submitted.job.id)
    assert not submitted.is_replay
    assert (job.status, job.owner, job.app, job.submitted_by, job.on_behalf_of) == (
        "queued", "app:shop", "shop", None, "a@b.c",
    )  # fmt: skip
    assert (job.model, job.metadata_text, job.max_rounds, job.rounds) == ("mistral-small-latest", '{"n": 1.0}', 3, 0)
    assert json.loads(job.request)["tools"] == ["a", "b"]
    assert transcript(gateway, job.id)[1] == json.loads(body)
    assert event_names(gateway, job.id) == ["job.submitted"]


def test_job_of_a_person_names_them(database: Database) -> None:
    gateway = make_gateway(database)
    person = make_person(gateway)

    job = submit(gateway, person).job

    assert (job.owner, job.app, job.submitted_by) == (f"person:{person.id}", None, person.email)


def test_agent_takes_the_models_place(database: Database) -> None:
    job = submit(make_gateway(database), agent_id="ag_1").job

    assert (job.agent_id, job.model) == ("ag_1", None)


def test_unknown_tool_is_refused_before_anything_is_written(database: Database) -> None:
    gateway, app = make_gateway(database, RecordingTool()), make_app()

    with pytest.raises(UnknownTool) as caught:
        submit(gateway, app, tools=("send", "refund"), idempotency_key="k")

    assert caught.value.facts == {"tool": "refund"}
    assert not submit(gateway, app, idempotency_key="k").is_replay


def test_same_key_and_body_give_the_job_as_it_is_now(database: Database) -> None:
    gateway, app = make_gateway(database, RecordingTool()), make_app()
    first = submit(gateway, app, idempotency_key="k").job
    claim = turns.claim_turn(gateway, first.id)
    assert claim is not None
    turns.record_answer(gateway, claim, answer(text="Done."))

    again = submit(gateway, app, idempotency_key="k")

    assert (again.is_replay, again.job.id, again.job.status) == (True, first.id, "succeeded")
    assert event_names(gateway, first.id).count("job.submitted") == 1


def test_same_key_with_another_body_is_refused(database: Database) -> None:
    gateway, app = make_gateway(database), make_app()
    first = submit(gateway, app, idempotency_key="k").job

    with pytest.raises(IdempotencyKeyReused) as caught:
        submit(gateway, app, idempotency_key="k", body_sha256="1" * 64)

    assert caught.value.facts == {"job_id": first.id}


def test_keys_belong_to_their_owner(database: Database) -> None:
    gateway = make_gateway(database)
    ids = {
        submit(gateway, owner, idempotency_key="k").job.id for owner in (make_app(), make_app(), make_person(gateway))
    }

    assert len(ids) == 3


def test_jobs_without_a_key_are_all_different(database: Database) -> None:
    gateway, app = make_gateway(database), make_app()

    assert len({submit(gateway, app).job.id for _ in range(3)}) == 3


def test_model_is_asked_with_the_jobs_tools_and_options_only(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool("a"), RecordingTool("b"))
    job = submit(gateway, tools=("b",), options={"temperature": 0.0}, model="m").job

    claim = turns.claim_turn(gateway, job.id)

    assert claim is not None
    assert (claim.request.model, claim.request.agent_id, claim.request.options) == ("m", None, {"temperature": 0.0})
    assert [tool["function"]["name"] for tool in claim.request.tools] == ["b"]
    assert claim.request.messages == [{"role": "user", "content": "Please do it"}]


@pytest.mark.parametrize("forced", ["any", "required", {"type": "function", "function": {"name": "send"}}])
def test_forced_tool_goes_with_the_first_model_call_only(database: Database, forced: object) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway, options={"tool_choice": forced, "parallel_tool_calls": False}).job
    first = turns.claim_turn(gateway, job.id)
    assert first is not None
    turns.record_answer(gateway, first, answer(call("nothing")))

    second = turns.claim_turn(gateway, job.id)

    assert second is not None
    assert first.request.options == {"tool_choice": forced, "parallel_tool_calls": False}
    assert second.request.options == {"tool_choice": "auto", "parallel_tool_calls": False}


def test_no_tools_go_without_options_about_tools(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway, tools=(), options={"tool_choice": "any", "parallel_tool_calls": True, "max_tokens": 5}).job

    claim = turns.claim_turn(gateway, job.id)

    assert claim is not None
    assert (claim.request.tools, claim.request.options) == ([], {"max_tokens": 5})
