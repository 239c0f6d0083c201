"""A call that is asked for again, on the pages."""

from gateway.domain.approval import Reject
from tests.factories import answer_turn, call, decide, make_person, submit

DETAILS = '{"order_id": "ord_1", "amount": 249.00}'


def test_repeat_is_named_on_its_page_and_in_the_inbox(reviewer, gateway):
    job = submit(gateway).job
    (first,) = answer_turn(gateway, job.id, call("refund", DETAILS))
    rita = make_person(gateway, email="rita@example.com")
    decide(gateway, rita, first, Reject(), note="<b>Too much</b>")

    (again,) = answer_turn(gateway, job.id, call("refund", DETAILS))

    page = reviewer.open(f"/approvals/{again.id}")
    assert "2nd attempt: rejected before" in page.text
    assert f"/approvals/{first.id}" in page.links
    assert "rita rejected the same call on" in page.text
    assert "with the note “<b>Too much</b>”" in page.text
    assert "2nd attempt" in reviewer.open("/").text
    assert "attempt:" not in reviewer.open(f"/approvals/{first.id}").text
