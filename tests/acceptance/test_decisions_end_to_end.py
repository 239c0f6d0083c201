"""A job from HTTP, through a person's decision, to the model's last answer."""

import json

from tests.acceptance.stack import Stack

ASKED = '{ "order_id": "ord_1",  "amount": 249.00 }'


def test_an_approved_call_runs_once_with_exactly_the_asked_bytes(stack: Stack) -> None:
    job = stack.submit("one refund, approved")
    [approval] = stack.pending(job["id"])
    assert stack.tools.bodies(approval["id"]) == []
    assert approval["title"] == "Refund 249.00 for order ord_1"
    assert approval["summary"] == "It arrived broken."

    answer = stack.decide(approval, "approve")
    final = stack.final(job["id"])

    assert answer.status_code == 200
    [sent] = stack.tools.bodies(approval["id"])
    assert (
        sent
        == (
            f'{{"name":"refund","arguments":{ASKED},"approval_id":"{approval["id"]}",'
            f'"job_id":"{job["id"]}","idempotency_key":"{approval["id"]}"}}'
        ).encode()
    )
    assert final["status"] == "succeeded"
    assert final["output"]["content"].startswith('I was told: {"done":true')
    [decision] = stack.decisions(job_id=job["id"])
    assert (decision["verdict"], decision["actor_kind"], decision["actor_name"]) == ("approve", "person", "reviewer")
    assert decision["effective_sha256"] == approval["details_sha256"]


def test_an_edit_runs_in_the_place_of_what_was_asked(stack: Stack) -> None:
    job = stack.submit("one refund, edited")
    [approval] = stack.pending(job["id"])
    edited = '{"amount":\t199.00, "order_id":"ord_1"}'

    assert stack.decide(approval, "approve", modified=edited).status_code == 200
    final = stack.final(job["id"])

    [sent] = stack.tools.bodies(approval["id"])
    assert f'"arguments":{edited},'.encode() in sent
    told = stack.transcript(job["id"])[-2]
    assert told["role"] == "tool"
    assert told["content"].startswith(f"A reviewer changed the arguments; the call ran with: {edited}\n")
    assert stack.transcript(job["id"])[1]["tool_calls"][0]["function"]["arguments"] == ASKED
    assert final["status"] == "succeeded"


def test_a_rejected_call_does_not_run_and_the_model_explains_it(stack: Stack) -> None:
    job = stack.submit("one refund, rejected")
    [approval] = stack.pending(job["id"])

    assert stack.decide(approval, "reject", note="The window has closed.").status_code == 200

    assert stack.final(job["id"])["output"]["content"] == "I could not refund it: The window has closed."
    assert stack.tools.bodies(approval["id"]) == []


def test_a_response_stands_in_the_tools_place(stack: Stack) -> None:
    job = stack.submit("one refund, answered by a person")
    [approval] = stack.pending(job["id"])

    assert stack.decide(approval, "respond", response="It was refunded by hand.").status_code == 200

    assert stack.final(job["id"])["output"]["content"] == "I was told: It was refunded by hand."
    assert stack.approval(approval["id"])["status"] == "answered"
    assert stack.tools.bodies(approval["id"]) == []


def test_parallel_calls_are_decided_one_by_one_and_each_has_one_result(stack: Stack) -> None:
    job = stack.submit("three at once")
    first, third = stack.pending(job["id"], 2)
    assert third["details_sha256"] != first["details_sha256"]

    stack.decide(third, "reject", note="Too much.")
    assert stack.job(job["id"])["status"] == "waiting"
    stack.decide(first, "approve")
    final = stack.final(job["id"])

    assert final["status"] == "succeeded"
    messages = stack.transcript(job["id"])
    asked = [call["id"] for call in messages[1]["tool_calls"]]
    assert [message["tool_call_id"] for message in messages[2:5]] == asked
    assert messages[4]["content"] == "Action rejected: Too much."
    assert len(stack.tools.bodies(first["id"])) == 1
    assert stack.tools.bodies(third["id"]) == []
    kinds = {row["actor_kind"] for row in stack.decisions(job_id=job["id"])}
    assert kinds == {"person", "tool_setting"}


def test_numbers_are_shown_as_they_were_written(stack: Stack) -> None:
    job = stack.submit("three at once, looked at")
    _, third = stack.pending(job["id"], 2)

    with stack.http("reviewer") as http:
        shown = http.get(f"/api/v1/approvals/{third['id']}").text

    assert '{"order_id":"ord_c","amount":12345678901234567890.50}' in shown
    with stack.http() as http:
        assert http.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 200


def test_a_cancelled_job_runs_nothing_and_goes_no_further(stack: Stack) -> None:
    job = stack.submit("one refund, cancelled")
    [approval] = stack.pending(job["id"])

    with stack.http() as http:
        first, again = (http.post(f"/api/v1/jobs/{job['id']}/cancel") for _ in range(2))

    assert (first.status_code, again.status_code) == (200, 200)
    assert stack.job(job["id"])["status"] == "cancelled"
    refused = stack.decide(approval, "approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_decided")
    assert stack.transcript(job["id"])[-1]["content"] == "Action cancelled: not executed."
    assert stack.tools.bodies(approval["id"]) == []


def test_an_undone_approval_does_not_run(stack: Stack) -> None:
    job = stack.submit("one refund, undone")
    [approval] = stack.pending(job["id"])
    with stack.http("reviewer") as http:
        # A decision over the API is released at once: there is nothing to undo.
        assert stack.decide(approval, "reject").status_code == 200
        refused = http.post(f"/api/v1/approvals/{approval['id']}/undo")

    assert (refused.status_code, refused.json()["code"]) == (409, "not_undoable")
    assert stack.final(job["id"])["status"] == "succeeded"


def test_a_call_that_nobody_decides_in_time_expires(stack: Stack) -> None:
    job = stack.submit("brief call")

    final = stack.final(job["id"])

    assert final["output"]["content"].startswith("I was told: Action expired: no decision was made in time.")
    [call] = final["tool_calls"]
    assert call["status"] == "expired"
    late = stack.decide(stack.approval(call["approval_id"]), "approve")
    assert (late.status_code, late.json()["code"]) == (410, "expired")
    assert stack.tools.bodies(call["approval_id"]) == []


def test_the_log_of_all_this_verifies(stack: Stack) -> None:
    job = stack.submit("one refund, for the log")
    [approval] = stack.pending(job["id"])
    stack.decide(approval, "approve")
    stack.final(job["id"])

    verified = stack.command("audit", "verify")

    assert verified.returncode == 0, verified.stderr
    assert "ntact" in verified.stdout


def test_events_of_a_job_resume_where_they_were_left(stack: Stack) -> None:
    job = stack.submit("one refund, followed")
    [approval] = stack.pending(job["id"])
    stack.decide(approval, "approve")
    stack.final(job["id"])

    with stack.http() as http:
        whole = http.get(f"/api/v1/jobs/{job['id']}/events").text
        rest = http.get(f"/api/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": "3"}).text

    ids = [int(line.split(":")[1]) for line in whole.splitlines() if line.startswith("id:")]
    assert ids == list(range(1, len(ids) + 1))
    assert "event: job.succeeded" in whole
    resumed = [int(line.split(":")[1]) for line in rest.splitlines() if line.startswith("id:")]
    assert resumed == ids[3:]


def test_an_app_sees_nothing_of_another_one(stack: Stack) -> None:
    job = stack.submit("one refund, not yours")
    [approval] = stack.pending(job["id"])

    with stack.http("other_app") as http:
        foreign = [http.get(f"/api/v1/jobs/{job['id']}"), http.get(f"/api/v1/approvals/{approval['id']}")]
        unknown = http.get("/api/v1/jobs/job_00000000000000000000000000")
        listed = http.get("/api/v1/approvals", params={"job_id": job["id"]}).json()["items"]

    assert [answer.status_code for answer in foreign] == [404, 404]
    assert listed == []
    assert {k: v for k, v in foreign[0].json().items() if k != "instance"} == {
        k: v for k, v in unknown.json().items() if k != "instance"
    }
    assert stack.decide(approval, "approve", who="app").status_code == 403
    assert stack.decide(approval, "approve", who="auditor").status_code == 403
    assert json.loads(stack.decide(approval, "reject").text)["status"] == "rejected"
