"""What a model or a tool does wrong ends in a recorded outcome, never in a lost job."""

import pytest

from tests.acceptance.stack import Stack


def test_arguments_that_are_not_json_are_refused_and_the_model_tries_again(stack: Stack) -> None:
    job = stack.submit("not json")
    [approval] = stack.pending(job["id"])
    stack.decide(approval, "approve")

    final = stack.final(job["id"])

    assert final["output"]["content"] == "It worked at the second try."
    refused, ran = final["tool_calls"]
    assert (refused["status"], ran["status"]) == ("rejected", "succeeded")
    assert stack.transcript(job["id"])[2]["content"].startswith("Error: the arguments cannot be used.")
    born = stack.approval(refused["approval_id"])
    assert (born["decision"]["reason_code"], born["decision"]["actor_kind"]) == ("invalid_json", "system")


def test_arguments_that_break_the_schema_are_a_warning_not_a_refusal(stack: Stack) -> None:
    job = stack.submit("breaks the schema")
    [approval] = stack.pending(job["id"])

    codes = {warning["code"] for warning in approval["warnings"]}
    bad_edit = stack.decide(approval, "approve", modified='{"order_id": 8}')
    stack.decide(approval, "approve")

    assert codes == {"schema_mismatch"}
    assert (bad_edit.status_code, bad_edit.json()["code"]) == (422, "invalid_details")
    assert any(error["pointer"] == "/order_id" for error in bad_edit.json()["errors"])
    assert stack.final(job["id"])["status"] == "succeeded"
    assert b'"arguments":{"order_id": 7},' in stack.tools.bodies(approval["id"])[0]


def test_a_tool_that_the_model_invents_is_refused_at_birth(stack: Stack) -> None:
    job = stack.submit("invented tool")

    final = stack.final(job["id"])

    [call] = final["tool_calls"]
    assert call["name"] == "shop.delete everything!"
    assert final["output"]["content"].startswith("I was told: Error: there is no tool named")
    assert stack.approval(call["approval_id"])["decision"]["reason_code"] == "unknown_tool"


def test_a_model_that_never_stops_is_stopped_by_the_round_limit(stack: Stack) -> None:
    job = stack.submit("never stops", max_rounds=3)

    final = stack.final(job["id"])

    assert (final["status"], final["error"]["code"], final["rounds"]) == ("failed", "max_rounds", 3)
    messages = stack.transcript(job["id"])
    assert messages[-1]["content"] == "Not executed: round limit."
    assert [message["role"] for message in messages] == ["user", *["assistant", "tool"] * 3]


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("status 400", "model_refused"),
        ("status 401", "model_unauthorized"),
        ("status 422", "model_refused"),
        ("status 503 for ever", "model_unavailable"),
        ("takes too long", "model_unavailable"),
    ],
)
def test_a_model_call_that_cannot_work_fails_the_job_with_its_reason(stack: Stack, prompt: str, code: str) -> None:
    # A model that fails again and again is asked by one job at a time: not the one that the other tests ask.
    job = stack.submit(prompt, model=f"failing-{code}")

    final = stack.final(job["id"], timeout_s=30)

    assert (final["status"], final["error"]["code"]) == ("failed", code)
    assert final["error"]["message"]


@pytest.mark.parametrize("prompt", ["status 429 twice", "cut short"])
def test_a_model_call_that_may_work_later_is_repeated(stack: Stack, prompt: str) -> None:
    job = stack.submit(f"{prompt} on {stack.database_url[:8]}", model=f"failing-{prompt.split()[0]}")

    final = stack.final(job["id"])

    assert (final["status"], final["output"]["content"]) == ("succeeded", "Here I am.")


def test_a_call_without_an_answer_is_in_doubt_until_a_person_settles_it(stack: Stack) -> None:
    job = stack.submit("slow refund")
    [approval] = stack.pending(job["id"])
    stack.decide(approval, "approve")
    stack.in_doubt(approval["id"])
    assert stack.job(job["id"])["status"] == "waiting"

    with stack.http("reviewer") as http:
        body = {"outcome": "ran", "result": "Refund ref_9 is in the shop.", "note": "Looked it up."}
        settled = http.post(f"/api/v1/approvals/{approval['id']}/resolution", json=body)
        again = http.post(f"/api/v1/approvals/{approval['id']}/resolution", json=body)

    assert settled.status_code == 200, settled.text
    assert (again.status_code, again.json()["code"]) == (409, "not_in_doubt")
    assert stack.final(job["id"])["output"]["content"] == "I was told: Refund ref_9 is in the shop."
    assert len(stack.tools.bodies(approval["id"])) == 1
    assert [row["verdict"] for row in stack.decisions(job_id=job["id"])] == ["resolve", "approve"]


def test_running_again_uses_the_same_key_and_opens_another_attempt(stack: Stack) -> None:
    job = stack.submit("slow refund, again")
    [approval] = stack.pending(job["id"])
    stack.decide(approval, "approve")
    stack.in_doubt(approval["id"])

    with stack.http("reviewer") as http:
        path = f"/api/v1/approvals/{approval['id']}/resolution"
        assert http.post(path, json={"outcome": "run_again", "note": "Try it."}).status_code == 200
        second = stack.in_doubt(approval["id"])
        assert http.post(path, json={"outcome": "did_not_run", "note": "Not in the shop."}).status_code == 200

    assert second["execution"]["attempt"] == 2
    assert len(stack.tools.bodies(approval["id"])) == 2
    told = stack.final(job["id"])["output"]["content"]
    assert told == "I was told: Error: the call did not run. Not in the shop."


def test_an_error_of_the_tool_is_told_to_the_model(stack: Stack) -> None:
    job = stack.submit("missing tool")
    [approval] = stack.pending(job["id"])
    stack.decide(approval, "approve")

    final = stack.final(job["id"])

    assert final["output"]["content"].startswith("I was told: Error: ")
    assert "404" in final["output"]["content"]
    assert stack.approval(approval["id"])["execution"]["status"] == "failed"


def test_the_shops_secret_is_sent_to_the_shop_and_shown_to_nobody(stack: Stack) -> None:
    job = stack.submit("one refund, with the shop's secret")
    [approval] = stack.pending(job["id"])
    stack.decide(approval, "approve")
    stack.final(job["id"])

    sent = [headers for _, _, headers in stack.tools.calls if headers.get("idempotency-key") == approval["id"]]
    assert [headers["authorization"] for headers in sent] == ["s3cret-of-the-shop"]
    with stack.http("admin") as http:
        shown = http.get("/api/v1/tools").text + http.get(f"/api/v1/approvals/{approval['id']}").text
    logs = "".join(path.read_text() for path in stack.folder.glob("*.log"))
    assert "s3cret-of-the-shop" not in shown + logs
