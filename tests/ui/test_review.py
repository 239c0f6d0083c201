"""The review page: everything is there, nothing is hidden, nothing of it is more than text."""

import json
import re

import pytest

from gateway.domain.approval import Approve, Reject, Respond
from gateway.tools.base import Failed, InDoubt, Ran
from tests.factories import answer_turn, ask, call, decide, make_app, make_person, run, submit


def ask_with_words(gateway, words, *calls, **changes):
    job = submit(gateway, **changes).job
    return answer_turn(gateway, job.id, *calls, text=words)


def test_every_argument_is_readable_with_its_number_as_written(reviewer, gateway):
    details = '{"order_id": "ord_1",  "amount": 249.00, "big": 12345678901234567890, "deep": {"a": [1.10, null, "x"]}}'
    (approval,) = ask(gateway, call("refund", details))

    page = reviewer.open(f"/approvals/{approval.id}")

    assert " ".join(details.split()) in page.text  # the exact text
    fields = page.form(f"/approvals/{approval.id}/decision").fields
    controls = {"/order_id": "ord_1", "/amount": "249.00", "/big": "12345678901234567890", "/deep/a/0": "1.10"}
    assert controls.items() <= fields.items()
    assert (fields["/deep/a/1:set"], fields["/deep/a/2"]) == ("null", "x")


def test_long_arguments_are_neither_cut_nor_folded(reviewer, gateway):
    body = "".join(f"line {number}\n" for number in range(4000))
    (approval,) = ask(gateway, call("write", json.dumps({"body": body})))

    page = reviewer.open(f"/approvals/{approval.id}")

    assert body in page.html
    assert body == page.form(f"/approvals/{approval.id}/decision").fields["/body"]
    before = page.html[: page.html.index("line 3999")]
    assert before.count("<details") == before.count("</details>")


def test_arguments_stand_before_the_buttons_and_words_of_the_model_are_labelled(reviewer, gateway):
    (approval,) = ask_with_words(gateway, "Just a harmless read.", call("refund", '{"order_id": "o", "amount": 900}'))

    text = reviewer.open(f"/approvals/{approval.id}").text

    order = [
        "Refund 900 for o", "every call waits for a person", "/amount", "model text, not verified",
        "Just a harmless read.", "Exactly as sent", "Reject r", "Approve as asked",
    ]  # fmt: skip
    text = re.split(r"asked \d+ s ago", text, maxsplit=1)[1]  # behind the list of what waits
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_words_of_others_are_out_of_reach_for_htmx(reviewer, gateway):
    (approval,) = ask_with_words(gateway, "words", call("write", '{"a": "words"}'))

    page = reviewer.open(f"/approvals/{approval.id}")

    for piece in page.html.split("words")[1:-1]:
        assert "hx-post" not in piece
    assert page.html.count('<div class="text" dir="auto" hx-ignore>') == 1


def test_hidden_characters_are_marked_in_place_and_named(reviewer, gateway):
    details = json.dumps({"file\u200b": "safe\u202ecod.exe", "tag": "a\U000e0041"}, ensure_ascii=False)
    (approval,) = ask_with_words(gateway, "look\u2066here", call("write", details))

    page = reviewer.open(f"/approvals/{approval.id}")

    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in page.text
    assert "safe[U+202E]cod.exe" in page.text
    assert "file[U+200B]" in page.text
    assert "a[U+E0041]" in page.text
    assert "look[U+2066]here" in page.text
    assert not {"\u202e", "\u200b", "\u2066", "\U000e0041"} & set(page.html)


def test_scripts_cannot_reorder_what_stands_around_them(reviewer, gateway):
    (approval,) = ask(gateway, call("write", '{"list": ["\u05d0", 1, "\u05d1"]}'))

    html = reviewer.open(f"/approvals/{approval.id}").html

    assert "<bdi>&#34;\u05d0&#34;</bdi>, 1, <bdi>&#34;\u05d1&#34;</bdi>" in html


def test_arguments_that_are_no_json_are_shown_as_they_came(reviewer, gateway):
    (approval,) = ask(gateway, call("write", '{"a": <b>\u202e'))

    page = reviewer.open(f"/approvals/{approval.id}")

    assert "cannot be taken as arguments" in page.text
    assert '{"a": <b>[U+202E]' in page.text
    assert "Rejected" in page.text
    assert page.ways_to_decide == []


def test_result_and_who_decided_are_on_the_page(reviewer, gateway, write):
    write.outcome = Ran("42 done")
    (approval,) = ask(gateway, call("write", '{"a": 1}'))
    decide(
        gateway, make_person(gateway, email="second@example.com"), approval, Approve('{"a": 2}'), note="Two is right"
    )
    run(gateway, approval)

    text = reviewer.open(f"/approvals/{approval.id}").text

    for words in [
        "Approved with edits",
        "Executed",
        "42 done",
        "second",
        "Two is right",
        "/a from 1 → to 2",
        '{"a": 2}',
    ]:
        assert words in text


@pytest.mark.parametrize(
    ("choice", "words"),
    [(Reject(), ["Rejected"]), (Respond("Said instead"), ["Answered by a reviewer", "Said instead"])],
)
def test_decided_call_offers_no_buttons(reviewer, gateway, choice, words):
    (approval,) = ask(gateway, call("write"))
    decide(gateway, make_person(gateway), approval, choice)

    page = reviewer.open(f"/approvals/{approval.id}")

    assert all(word in page.text for word in words)
    assert page.ways_to_decide == []


def test_error_of_the_tool_is_shown(reviewer, gateway, write):
    write.outcome = Failed("no such file")
    (approval,) = ask(gateway, call("write"))
    decide(gateway, make_person(gateway), approval)
    run(gateway, approval)

    assert "Failed no such file" in reviewer.open(f"/approvals/{approval.id}").text


def test_auditor_reads_everything_and_sees_no_deciding_button(auditor, gateway, write):
    (approval,) = ask(gateway, call("write", '{"a": "readable"}'))
    write.outcome = InDoubt("no answer")
    (doubtful,) = ask(gateway, call("write"))
    decide(gateway, make_person(gateway), doubtful)
    run(gateway, doubtful)

    for path in [f"/approvals/{approval.id}", f"/approvals/{doubtful.id}", f"/jobs/{approval.job_id}"]:
        assert [button for form in auditor.open(path).forms for button in form.buttons] == []
    page = auditor.open(f"/approvals/{approval.id}")
    assert "readable" in page.text
    assert "signed in as an auditor" in page.text


def test_person_for_whom_it_was_asked_sees_no_deciding_button(open_browser, gateway):
    browser = open_browser(email="asker@example.com")
    (approval,) = ask(gateway, call("write"), on_behalf_of="asker@example.com")

    page = browser.open(f"/approvals/{approval.id}")

    assert "somebody else decides it" in page.text
    assert page.form(f"/approvals/{approval.id}/decision").buttons == []


def test_why_it_waits_names_the_app_that_wanted_it(reviewer, gateway):
    (approval,) = ask(gateway, call("write"), actor=make_app("triage"), permission="ask")

    assert "The app asked that every call of this job waits" in reviewer.open(f"/approvals/{approval.id}").text


def test_unknown_call_is_a_page_that_says_so(reviewer):
    page = reviewer.open("/approvals/apr_nothing", status=404)

    assert "There is no call under this address." in page.text
    assert "Inbox" in page.text
