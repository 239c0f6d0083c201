"""The reviewer's way: signing in and deciding with plain forms."""

import re

import httpx2

from tests.acceptance.stack import PASSWORD, Stack


def test_a_reviewer_signs_in_and_approves_with_an_edit_on_the_pages(stack: Stack) -> None:
    job = stack.submit("one refund, decided on the page")
    [approval] = stack.pending(job["id"])
    own_pages = {"Sec-Fetch-Site": "same-origin"}

    with httpx2.Client(base_url=stack.url, headers=own_pages, follow_redirects=True, trust_env=False) as browser:
        browser.post("/sign-in", data={"email": "reviewer@example.com", "password": PASSWORD})
        page = browser.get(f"/approvals/{approval['id']}")
        assert page.status_code == 200
        assert re.search(r"249\.00", page.text)
        decided = browser.post(
            f"/approvals/{approval['id']}/decision",
            data={
                "verdict": "approve",
                "details_sha256": approval["details_sha256"],
                "modified_details": '{ "order_id": "ord_1",  "amount": 49.50 }',
                "note": "Half of it.",
            },
        )
        assert decided.status_code == 200
        held = stack.approval(approval["id"])

    assert held["status"] == "pending"
    assert stack.final(job["id"])["status"] == "succeeded"
    assert b'"arguments":{ "order_id": "ord_1",  "amount": 49.50 },' in stack.tools.bodies(approval["id"])[0]
    assert stack.decisions(job_id=job["id"])[0]["channel"] == "page"


def test_an_approval_on_the_pages_can_be_undone_before_its_release(stack: Stack) -> None:
    job = stack.submit("one refund, undone on the page")
    [approval] = stack.pending(job["id"])
    own_pages = {"Sec-Fetch-Site": "same-origin"}

    with httpx2.Client(base_url=stack.url, headers=own_pages, follow_redirects=True, trust_env=False) as browser:
        browser.post("/sign-in", data={"email": "reviewer@example.com", "password": PASSWORD})
        form = {"verdict": "approve", "details_sha256": approval["details_sha256"]}
        browser.post(f"/approvals/{approval['id']}/decision", data=form)
        undone = browser.post(f"/approvals/{approval['id']}/undo")

    assert undone.status_code == 200
    assert stack.approval(approval["id"])["decided_at"] is None
    stack.decide(approval, "reject", note="Changed my mind.")
    assert stack.final(job["id"])["output"]["content"] == "I could not refund it: Changed my mind."
    assert stack.tools.bodies(approval["id"]) == []
    assert [row["verdict"] for row in stack.decisions(job_id=job["id"])] == ["reject", "undo", "approve"]
