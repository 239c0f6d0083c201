"""Every hostile text in every place where others' words stand on the pages about a call: it is never more than text.

Several texts share a page, for speed; each stands in every place.
"""

import json
import re

import pytest

from gateway.domain.approval import Approve, Respond
from gateway.tools.base import Failed, InDoubt, Ran
from gateway.usecases.requests import ActionRequest, file_request
from tests.factories import answer_turn, call, change_approval, decide, make_app, make_person, run, submit
from tests.fakes import RecordingTool
from tests.ui.hostile import ALLOWED_IN_EMOJI, PAYLOADS, is_unseen
from tests.ui.html_forms import Page, as_sent

TOGETHER = 64
HARMLESS = [
    "plain", "https://a.example/x", "javascript:x", "two\nlines", "x" * 80, "a\u202eb", "a\nb\u200b", "p\u0430ypal",
    "https://a@b.example", "ghp_" + "a1B2" * 9, "1,5", "import os\nos.system('x')", "a\r\nb", "if (", "", "x" * 5000,
]  # fmt: skip


def short_of(texts):
    """Those that may also be names: no real one is longer."""
    return [text for text in texts if len(text) <= 2000]


def schema_of(texts):
    """A schema whose own words are hostile, too: an MCP server may have written it."""
    shapes = [
        {"type": "string"},
        {"enum": short_of(texts)},
        {"type": ["string", "null"]},
        {"const": texts[0]},
        {"type": "number"},
    ]
    return {
        "type": "object",
        "properties": {
            text: {**shapes[number % len(shapes)], "description": text, "format": text, "title": text}
            for number, text in enumerate(short_of(texts))
        },
        "required": short_of(texts)[::2],
    }


def arguments_of(texts):
    short = short_of(texts)
    values = [[text, {text: text}] for text in short[:4]]
    own = {text if text in short else f"long {number}": text for number, text in enumerate(texts)}
    return {**own, "code": "\n".join(short), "list": short, "deep": {"a": {"b": values}}}


def send(browser, html, approval, action, **typed):
    fields = Page(html).form(f"/approvals/{approval.id}/decision").fields | typed
    return browser.post(f"/approvals/{approval.id}{action}", as_sent(fields)).text


def pages_about(browser, gateway, tool, texts):
    """The pages about calls with these texts, in every view and at every stage, and what refuses them."""
    words = "\n".join(texts)
    tool.define(name="write", schema=schema_of(texts))
    job = submit(gateway, on_behalf_of=f"{words}@example.com").job
    details = json.dumps(arguments_of(texts), ensure_ascii=False)
    approval, other, third, unknown, unread = answer_turn(
        gateway, job.id, call("write", details), call("write", details), call("write", details), call(words, details),
        call("write", "{" + words), text=words,
    )  # fmt: skip
    change_approval(gateway, approval.id, title=words, justification=words)
    home = f"/approvals/{approval.id}"
    form = browser.get(home).text
    yield form
    yield from (browser.get(f"{home}?view={view}").text for view in ("json", "changes"))
    typed = {
        name: words for name in Page(form).form(f"{home}/decision").fields if name.startswith("/") and ":" not in name
    }
    yield send(browser, form, approval, "/decision", verdict="approve", note=words, response=words, **typed)
    yield send(browser, form, approval, "/edit", step=f"remove:{words}", **typed)
    edited = json.dumps({"edited": words}, ensure_ascii=False)
    as_json = browser.get(f"{home}?view=json").text
    yield send(browser, as_json, approval, "/edit", view="changes", modified_details=edited)
    yield send(browser, as_json, approval, "/edit", view="form", modified_details=edited)
    yield send(browser, as_json, approval, "/decision", verdict="approve", modified_details=words)
    yield send(browser, as_json, approval, "/edits", modified_details=edited)

    person = make_person(gateway)
    tool.define(name="write", schema={"type": "object", "description": words})
    yield send(browser, form, approval, "/decision", verdict="approve", note=words)  # the tool changed
    for one, outcome in ((approval, Ran(words)), (other, Failed(words)), (third, InDoubt(words))):
        tool.outcome = outcome
        change_approval(gateway, one.id, tool_sha256=tool.definition.sha256, schema_text="{}")
        decide(gateway, person, one, Approve(edited) if one is approval else Approve(), note=words, reason_code=words)
        run(gateway, one)
        yield browser.get(f"/approvals/{one.id}").text
    yield from (browser.get(f"/approvals/{one.id}").text for one in (unknown, unread))
    yield from pages_about_request(browser, gateway, person, texts)
    yield from (browser.get(path).text for path in ("/", f"/jobs/{job.id}", "/history", f"/?decided={approval.id}"))


def pages_about_request(browser, gateway, person, texts):
    """Those about what a program asks, which says more beside its request; before and after the decision."""
    words, short = "\n".join(texts), short_of(texts)
    trace = {"steps": [{"type": text, "content": text} for text in texts], "model": words}
    sent = {
        "trace": trace,
        "metadata": dict.fromkeys(short, words),
        **{f"{text} {n}": text for n, text in enumerate(short)},
    }
    for sent_along in (sent, {"trace": words}, {"trace": {"steps": [words]}}):
        asked = ActionRequest(
            origin="cheqpoint", action=short[0][:200] or "x", summary=words, justification=words,
            details=json.dumps(arguments_of(texts)), sent_along=json.dumps(sent_along),
        )  # fmt: skip
        approval = file_request(gateway, make_app(), asked).approval
        yield browser.get(f"/approvals/{approval.id}").text
        decide(gateway, person, approval, Approve(json.dumps({"edited": words})), note=words)
        yield browser.get(f"/approvals/{approval.id}").text


def answered(browser, gateway, texts):
    words = "\n".join(texts)
    (approval,) = answer_turn(gateway, submit(gateway).job.id, call("write", "{}"))
    decide(gateway, make_person(gateway), approval, Respond(words))
    return browser.get(f"/approvals/{approval.id}").text


TAG = re.compile(r"<(/?[a-z0-9!-]+)((?:\s+[a-z0-9:-]+(?:=(?:\"[^\"]*\"|'[^']*'))?)*)\s*/?>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"\s([a-z0-9:-]+)(?:=(?:\"[^\"]*\"|'[^']*'))?", re.IGNORECASE)


#: What the reviewer wrote comes back into its field as it was.
OWN_WORDS = re.compile(r'<textarea[^>]* name="(?:note|response)"[^>]*>[^<]*</textarea>')


def parts(html):
    """Each element's name, alone and with each of its attributes' names. Every ``<`` of the page belongs to one."""
    tags = TAG.findall(html)
    assert len(tags) == html.count("<")
    return {(tag.lower(), name.lower()) for tag, attributes in tags for name in ["", *ATTRIBUTE.findall(attributes)]}


def parts_as_parsed(html):
    """The same by a parser that takes what browsers take."""
    return {(tag, name) for tag, attributes in Page(html).tags for name in ["", *attributes]}


@pytest.fixture
def tool(gateway):
    made = RecordingTool("write")
    gateway.tools._tools["write"] = made
    return made


def all_pages(browser, gateway, tool, texts):
    return [*pages_about(browser, gateway, tool, texts), answered(browser, gateway, texts)]


def test_hostile_text_is_only_text(reviewer, gateway, tool):
    ways = (HARMLESS, HARMLESS[:4], ["import os\nos.system(1)"])
    known = {part for texts in ways for html in all_pages(reviewer, gateway, tool, texts) for part in parts(html)}
    assert not [name for _, name in known if name.startswith(("on", "style"))]

    for start in range(0, len(PAYLOADS), TOGETHER):
        texts = list(PAYLOADS[start : start + TOGETHER])
        for number, html in enumerate(all_pages(reviewer, gateway, tool, texts)):
            assert parts(html) <= known, (start, number)
            assert not [text for text in texts if "<" in text and text in html], (start, number)
            theirs = OWN_WORDS.sub("", html)
            raw = [hex(ord(one)) for one in set(theirs) if is_unseen(one) and one not in ALLOWED_IN_EMOJI]
            assert raw == [], (start, number)
            if number in {0, 3}:
                assert parts_as_parsed(html) <= known, (start, number)
