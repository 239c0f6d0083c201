"""A job's transcript, cancelling it, and the list of tools."""

import json

import pytest

from gateway.tools.base import Ran
from tests.factories import answer_turn, call, decide, load_approval, load_job, make_person, run, submit
from tests.fakes import RecordingTool


def test_transcript_shows_what_was_said_and_what_became_of_the_calls(reviewer, gateway, write):
    write.outcome = Ran("written")
    asked = json.dumps({"role": "user", "content": [{"type": "text", "text": "Write it"}, {"type": "image_url"}]})
    job = submit(gateway, messages=(("user", asked),)).job
    first, second = answer_turn(
        gateway, job.id, call("write", '{"a": 1.0}'), call("refund", '{"order_id": "x", "amount": 5}'), text="I do both"
    )
    decide(gateway, make_person(gateway), first)
    run(gateway, first)

    page = reviewer.open(f"/jobs/{job.id}")

    order = [
        "Waiting for a person", "Write it", '"image_url"', "I do both", '{"a": 1.0}', "Refund 5 for x", "Pending",
        "Result of write", "written",
    ]  # fmt: skip
    places = [page.text.index(words) for words in order]
    assert places == sorted(places)
    assert {f"/approvals/{first.id}", f"/approvals/{second.id}"} <= set(page.links)


def test_final_answer_is_the_end_of_the_transcript(reviewer, gateway):
    job = submit(gateway).job
    answer_turn(gateway, job.id, text="All done\u202e.")

    page = reviewer.open(f"/jobs/{job.id}")

    assert "Succeeded" in page.text
    assert page.text.index("All done[U+202E].") > page.text.index("Please do it")


def test_error_of_a_job_is_shown(reviewer, gateway):
    job = submit(gateway, max_rounds=1).job
    answer_turn(gateway, job.id, call("write"))

    page = reviewer.open(f"/jobs/{job.id}")

    assert "Failed" in page.text
    assert "max_rounds" in page.text
    assert "not opened here" in page.text


def test_cancelled_job_ends_with_its_calls(reviewer, gateway):
    job = submit(gateway).job
    (approval,) = answer_turn(gateway, job.id, call("write"))
    path = f"/jobs/{job.id}"

    response = reviewer.press(reviewer.open(path), f"{path}/cancel")

    assert (response.status_code, response.headers["location"]) == (303, path)
    assert load_job(gateway, job.id).status == "cancelled"
    assert load_approval(gateway, approval.id).status == "cancelled"
    assert f"{path}/cancel" not in [form.action for form in reviewer.open(path).forms]


def test_cancelling_an_ended_job_is_refused_on_its_page(reviewer, gateway):
    job = submit(gateway).job
    page = reviewer.open(f"/jobs/{job.id}")
    answer_turn(gateway, job.id, text="Done")

    response = reviewer.press(page, f"/jobs/{job.id}/cancel")

    assert response.status_code == 409
    assert "The job has already ended." in response.text
    assert "Done" in response.text


def test_auditor_cannot_cancel(auditor, gateway):
    job = submit(gateway).job

    assert auditor.post(f"/jobs/{job.id}/cancel", {}).status_code == 403
    assert load_job(gateway, job.id).status == "queued"


@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_job_is_a_page_that_says_so(reviewer, method):
    response = reviewer.get("/jobs/job_x") if method == "get" else reviewer.post("/jobs/job_x/cancel", {})

    assert response.status_code == 404
    assert "There is nothing here" in response.text


def test_address_of_the_cancelling_form_opens_the_job(reviewer):
    assert reviewer.get("/jobs/job_x/cancel").headers["location"] == "/jobs/job_x"


def test_tools_are_listed_with_how_they_are_gated(reviewer):
    page = reviewer.open("/tools")

    assert "2 registered" in page.text
    assert "refund" in page.text
    assert "Every call waits for a person" in page.text
    assert '"maximum": 500' in page.text


def test_tools_are_listed_with_what_they_hide(reviewer, gateway):
    gateway.tools.register(RecordingTool("pay", secret=["/card/number", "/pin"]))
    assert "Hidden until somebody reveals it: /card/number, /pin." in reviewer.open("/tools").text
