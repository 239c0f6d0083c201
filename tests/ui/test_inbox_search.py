"""The words of the search field."""

import pytest

from gateway.store.inbox import Wanted
from reviewer_ui.inbox_search import read_search
from tests.factories import ask, call


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Wanted()),
        ("tool:refund", Wanted(tool="refund")),
        ("agent:shop  job:job_1", Wanted(app="shop", job_id="job_1")),
        ("risk:High,critical,high", Wanted(risks=("high", "critical"))),
        ("TOOL:refund Broken Machine", Wanted(tool="refund", words=("Broken", "Machine"))),
        ("tool:", Wanted()),
        ("http://x.example a:b", Wanted(words=("http://x.example", "a:b"))),
        ("tool:a:b", Wanted(tool="a:b")),
        ("Mine tool:a", Wanted(assignee="me", tool="a")),
        ("is:mine mine", Wanted(assignee="me")),
        ("assignee:None", Wanted(assignee="none")),
    ],
)
def test_words_narrow(text, wanted):
    assert read_search(text).wanted == wanted
    assert read_search(text).problems == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("risk:huge", "no risk “huge”"),
        ("is:odd", "“is:odd”"),
        ("assignee:tom", "assignee:me"),
        ("mine assignee:none", "takes one value"),
        ("tool:a tool:b", "takes one value"),
        ("tool:a,b", "takes one value"),
    ],
)
def test_words_that_mean_nothing_are_named(text, words):
    (problem,) = read_search(text).problems

    assert words in problem


def test_search_goes_along_in_addresses():
    search = read_search(" is:expiring  a&b ")

    assert search.only_expiring
    assert search.address("/approvals/apr_1", decided="apr_2") == "/approvals/apr_1?q=is%3Aexpiring+a%26b&decided=apr_2"
    assert read_search("").address("/") == "/"


def test_search_that_finds_nothing_does_not_say_that_all_is_done(reviewer, gateway):
    ask(gateway, call("write"))

    text = reviewer.open("/?q=nothing+like+this").text

    assert "Nothing that waits matches" in text
    assert "All done" not in text
    assert "Others wait" in text
