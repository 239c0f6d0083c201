"""What a process says about itself, and what it keeps to itself."""

import json
import logging
import sys

from gateway.cli.logs import JsonLines, PlainText


def record(message: str, error: Exception | None = None, **facts: object) -> logging.LogRecord:
    made = logging.LogRecord("gateway.x", logging.WARNING, "x.py", 1, message, (), None)
    vars(made).update(facts)
    if error is not None:
        try:
            raise error
        except Exception:
            made.exc_info = sys.exc_info()
    return made


def test_facts_are_members_of_the_line():
    line = JsonLines(with_words=False).format(record("approval decided", event="approval.decided", seq=3))

    entry = json.loads(line)
    assert entry.pop("at").endswith("Z")
    assert entry == {
        "level": "warning", "logger": "gateway.x", "message": "approval decided", "event": "approval.decided", "seq": 3,
    }  # fmt: skip


def test_no_text_can_forge_a_second_line():
    forged = 'x\n{"level": "error"}'

    assert "\n" not in JsonLines(with_words=False).format(record(forged, name_of=forged))
    assert "\n" not in PlainText(with_words=False).format(record("plain", name_of=forged))


def test_words_of_an_exception_stay_out():
    for formatter in (JsonLines, PlainText):
        said = formatter(with_words=False).format(record("failed", ValueError("card 4111")))

        assert "ValueError" in said
        assert "test_logs.py" in said
        assert "4111" not in said
        assert "4111" in formatter(with_words=True).format(record("failed", ValueError("card 4111")))


def test_errors_behind_an_error_are_named_without_words():
    behind = KeyError("card 4111")
    outer = ExceptionGroup("two", [RuntimeError("4111")])
    outer.__cause__ = behind

    said = json.loads(JsonLines(with_words=False).format(record("failed", outer)))["error"]

    assert [line for line in said if not line.startswith("  ")] == [
        "ExceptionGroup",
        "from KeyError",
        "from RuntimeError",
    ]
