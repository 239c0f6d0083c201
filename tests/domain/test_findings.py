"""What the checks of arguments find, what they leave alone, and that nothing makes them fail or take long."""

import json
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.findings.details import MAX_FINDINGS, findings_of
from gateway.domain.findings.python_code import MAX_CODE_CHARS
from gateway.domain.findings.secret_text import MASK, masked, secret_spans
from gateway.domain.hidden_text import hidden_places
from tests.ui.hostile import ALLOWED_IN_EMOJI, PAYLOADS, is_unseen


def found(value, name="a"):
    """Code and message of each finding about one argument."""
    return [(one.code, one.message) for one in findings_of(json.dumps({name: value}, ensure_ascii=False))]


def codes(value, name="a"):
    return {code for code, _ in found(value, name)}


def test_every_code_point_that_cannot_be_seen_is_found():
    every = [chr(code) for code in range(0x110000)]
    hidden = {text for text in every if is_unseen(text)}
    assert len(hidden) > 900_000  # most code points are not assigned

    # A letter between them, for what hides only in company; the marks of one letter are few here.
    text = "a" + "a".join(every) + "a"
    seen = {text[place] for place in hidden_places(text)}

    assert hidden <= seen
    assert {unicodedata.category(one) for one in seen - hidden} <= {"Mn", "Lo", "So", "Cf"}
    assert not {one for one in seen - hidden if unicodedata.category(one)[0] in "LNPS" and not is_unseen(one)}


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_is_found_out_and_never_quoted_raw(payload):
    for details in ({"a": payload}, {payload: "a"}, {"code": payload}, {"list": [{payload: [payload]}]}):
        for one in findings_of(json.dumps(details)):
            assert not any(is_unseen(character) for character in one.message)
    hides = any(is_unseen(character) and character not in ALLOWED_IN_EMOJI for character in payload)
    assert ("hidden_characters" in codes(payload)) >= hides


def test_hidden_characters_are_named_and_counted_at_their_place():
    (value, name) = findings_of('{"a": ["x\u202e\u202e\u200b"], "b\u2066": 1}')

    assert (value.code, value.path) == ("hidden_characters", "/a/0")
    assert value.message == "Hides U+202E RIGHT-TO-LEFT OVERRIDE (2 times), U+200B ZERO WIDTH SPACE."
    assert (name.path, name.message) == ("/b\u2066", "The name hides U+2066 LEFT-TO-RIGHT ISOLATE.")


@pytest.mark.parametrize(
    "text",
    [
        "Refund 249.00 €", "naïve café", "Москва", "東京tower", "שלום", "हिन्दी",
        "\U0001f468\u200d\U0001f469 \u2764\ufe0f",
        "a@b.example", "ends: soon", "12:30", "C:\\Temp", "Größe", "Ελλάδα", "AKIA is a prefix",
        "Возьми договор.pdf сейчас", "Это т.е. пример.", "siehe straße.example, bitte", "東京.jp で", "v1.2.3 ≥ 1.0",
        "a b (c) = d",
    ],
)  # fmt: skip
def test_ordinary_text_has_no_finding(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p\u0430ypal", "The value mixes Cyrillic and Latin letters that look alike: U+0430 CYRILLIC SMALL LETTER A."),
        ("\uff41\uff44min", "The value is written with look-alikes of ordinary letters; it reads as “admin”."),
        ("mail \u0430dmin@shop.example now", "The address mixes Cyrillic and Latin"),
        ("Sign in at p\u0430ypal.com, please", "The address mixes Cyrillic and Latin"),
        ("pay (www.p\u0430ypal.com/login) now", "The address mixes Cyrillic and Latin"),
        ("a.b " * 50 + "p\u0430ypal.com", "The address mixes Cyrillic and Latin"),
        ("a@b.c " * 50 + "\u0430dmin@b.c", "The address mixes Cyrillic and Latin"),
    ],
)
def test_names_in_disguise_are_found(text, said):
    [(code, message)] = found(text)

    assert code == "look_alike"
    assert message.startswith(said)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://docs.example.com/a?b=https", "Links to docs.example.com."),
        ("see (https://Docs.Example.com:8443).", "Links to docs.example.com."),
        ("https://bank.example@hostile.example/", "Links to hostile.example: what stands before the @"),
        ("https://bank.example\\@hostile.example/", "Links to bank.example: it has a backslash"),
        ("https:hostile.example", "Links to hostile.example: it is not written with two slashes"),
        ("http://2130706433/", "Links to 127.0.0.1: it is a bare address"),
        ("http://0x7f.1", "Links to 127.0.0.1: it is a bare address"),
        ("http://0177.0.0.1/", "Links to 127.0.0.1: it is a bare address"),
        ("http://[::1]:80/", "Links to ::1: it is a bare address"),
        ("http://169.254.169.254/latest", "Links to 169.254.169.254: it is a bare address, not a name; it is on this"),
        ("http://localhost:8000/", "Links to localhost: it is on this machine"),
        ("https://xn--pypal-4ve.com/", "Links to xn--pypal-4ve.com: it shows as “p\u0430ypal.com”; it mixes Cyrillic"),
        ("https://p\u0430ypal.com/", "Links to xn--pypal-4ve.com: it is written with letters beyond ASCII"),
        ("https://b\u00fccher.example", "Links to xn--bcher-kva.example: it is written with letters beyond ASCII."),
        ("https://bank.example%2f@hostile.example", "Links to hostile.example: what stands before the @"),
        ("http://a%2eb.example/", "Links to a%2eb.example: it is written with %-escapes"),
        ("javascript:alert(1)", "Has a javascript: link"),
        ("file:///etc/passwd", "Has a file: link"),
    ],
)
def test_links_are_named_by_the_host_that_they_really_lead_to(link, said):
    [(code, message)] = found(link)

    assert message.startswith(said)
    assert code == ("link" if message == "Links to docs.example.com." else "suspicious_link")


def test_password_in_a_link_is_not_quoted():
    assert "hunter2" not in str(found("https://rita:hunter2@shop.example/"))


CODE = """import os as o, requests
from subprocess import run as r
o.system('ls'); r(['x'])
requests.get('x')
open('a')
later = o.remove
eval('1')
"""


def test_code_is_read_for_its_imports_and_calls_and_every_word_is_labelled():
    assert found(CODE, "code") == [
        ("code_imports", "Imports: os, requests, subprocess. This is a check of the text, not a verdict."),
        ("code_network", "Network: requests.get on line 4. This is a check of the text, not a verdict."),
        ("code_process", "Processes: os.system on line 3, subprocess.run on line 3. "
                         "This is a check of the text, not a verdict."),
        ("code_files", "Files: open on line 5, os.remove on line 6. This is a check of the text, not a verdict."),
        ("code_dynamic", "Code made at run time: eval on line 7. This is a check of the text, not a verdict."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os\n" * (MAX_CODE_CHARS // 8), "longer than"),
        ("if (", "cannot be read as Python"),
        ("echo(1) && x", "cannot be read as Python"),
        ("a" + "(" * 300, "cannot be read as Python"),
        ("a(" + "-" * 9000 + "1)", "cannot be read as Python"),
    ],
)
def test_code_that_was_not_checked_is_said_to_be_so(code, said):
    [(name, message)] = found(code, "code")

    assert name == "not_checked"
    assert said in message


@pytest.mark.parametrize(
    ("value", "name"), [("DE", "code"), ("SAVE 20", "code"), ("import os", "note"), ("x", "script")]
)
def test_what_is_no_code_is_not_read_as_code(value, name):
    assert found(value, name) == []


def test_odd_escapes_in_code_are_no_warning_of_this_process():
    assert found("import re\nre.match('\\d', x)", "code")[0][0] == "code_imports"


def put(*parts):
    """A token put together here, so that no scanner takes this file for a leak."""
    return "".join(parts)


TOKENS = {
    "AWS access key": put("AKIA", "ABCDEFGHIJKLMNOP"),
    "GitHub token": put("ghp_", "a1B2" * 9),
    "GitLab token": put("glpat-", "a1B2" * 5),
    "Slack token": put("xoxb-", "123456789012-abcdef"),
    "Stripe key": put("sk_live_", "a1B2" * 6),
    "webhook secret": put("whsec_", "a1B2" * 8),
    "model provider's key": put("sk-proj-", "a1B2" * 8),
    "Google key": put("AIza", "a1B2c" * 7),
    "Google token": put("ya29.", "a1B2" * 8),
    "Hugging Face token": put("hf_", "a1B2" * 8),
    "npm token": put("npm_", "a1B2" * 9),
    "PyPI token": put("pypi-", "a1B2" * 15),
    "SendGrid key": put("SG.", "a1B2" * 5, ".", "a1B2" * 10),
    "DigitalOcean token": put("dop_v1_", "a1b2" * 16),
    "Telegram token": put("123456789:AA", "a1B" * 11),
    "Countersign credential": put("cs_pat_", "a1B2" * 8),
    "JSON Web Token": put("eyJ", "hbGciOiJI", ".eyJ", "zdWIiOiIx", ".", "a1B2" * 5),
    "private key": put("-----BEGIN RSA PRIVATE", " KEY-----\n", "a1B2" * 20, "\n-----END RSA PRIVATE KEY-----"),
    "bearer token": put("Bearer ", "a1B2" * 8),
    "password in an address": put("rita", ":", "hunter2"),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_tokens_are_known_by_their_shape_masked_and_not_quoted(kind):
    token = TOKENS[kind]
    text = f"postgres://{token}@db.example/x" if kind == "password in an address" else f"use {token} today"

    secrets = [message for code, message in found(text) if code == "secret"]

    assert secrets == [f"Has what looks like a secret: {kind}."]
    assert token not in str(found(text))
    assert masked(text) == text.replace(token, MASK)
    in_json = json.dumps({"a": text, "b": 'c"d'})
    assert json.loads(masked(in_json)) == {"a": text.replace(token, MASK), "b": 'c"d'}


def test_findings_end_somewhere_and_say_so():
    many = findings_of(json.dumps([f"https://{number}.example/" for number in range(3 * MAX_FINDINGS)]))

    assert len(many) == MAX_FINDINGS + 1
    assert many[-1].code == "not_checked"
    assert findings_of(json.dumps(["long enough words"] * 6000))[-1].message.startswith("Only the first 5,000 texts")


payloads = st.integers(0, len(PAYLOADS) - 1).map(PAYLOADS.__getitem__)
parts = st.one_of(payloads, st.sampled_from(["://", "https:", "@", "[", "xn--", "sk-", "eyJ", "%", ":", "\\", "("]))
texts = st.one_of(st.text(), payloads, st.lists(parts, max_size=6).map("".join))


@given(st.recursive(texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)))
@settings(max_examples=400, deadline=None)
def test_checks_never_fail(value):
    details = {"code": value, "url": value} | ({value: value} if isinstance(value, str) else {})
    for one in findings_of(json.dumps(details)):
        assert len(one.message) < 2000
    assert all(start < end for start, end, _ in secret_spans(str(value)))


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_text_that_is_no_json_has_no_finding_or_is_json(text):
    assert isinstance(findings_of(text), list)


LARGEST = {
    "links": dict.fromkeys("ab", "https://a.example/ " * 6500),
    "accents": dict.fromkeys("ab", "á́́́" * 14000),
    "tags": dict.fromkeys("ab", "\U000e0041" * 32000),
    "addresses": dict.fromkeys("ab", "ä@ä.de " * 13000),
    "names": {f"c{number}": "\u00e4" * 90 for number in range(1300)},
    "code": {"code": "a\n" * (MAX_CODE_CHARS // 2)},
    "prefixes": {"a": "eyJ" * 40_000, "b": "://" * 40_000},
    "key": {"a": "-----BEGIN PRIVATE KEY-----" * 4700},
    "digits": {"a": "http://" + "1" * 120_000},
}


@pytest.mark.parametrize("kind", LARGEST)
def test_largest_arguments_are_checked_in_bounded_time(kind):
    text = json.dumps(LARGEST[kind], ensure_ascii=False)

    started = time.process_time()
    findings_of(text)

    assert time.process_time() - started < 3  # a tenth of it when nothing else runs
