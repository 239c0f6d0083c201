"""What a process says about itself: JSON lines on standard error, or plain text where a person watches.

Facts travel in ``extra``. The words of an exception stay out unless the level
is DEBUG: drivers and validators quote rows and values in theirs.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

#: Only ours are heard below WARNING; what libraries say there may hold headers and bodies.
OUR_LOGGERS = ("gateway", "reviewer_ui")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def configure_logs(level: str) -> None:
    """All of this process's log records go to standard error in one form. ``level`` is a name such as INFO."""
    words = level == "DEBUG"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainText(words) if sys.stderr.isatty() else JsonLines(words))
    threshold = logging.getLevelNamesMapping()[level]
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(threshold)
    # Its requests, one line each.
    logging.getLogger("uvicorn.access").setLevel(logging.INFO if words else logging.WARNING)


class JsonLines(logging.Formatter):
    """One JSON object per record."""

    def __init__(self, with_words: bool) -> None:
        super().__init__()
        self._with_words = with_words

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": _moment(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().strip(),
            **_facts(record),
        }
        if record.exc_info and record.exc_info[1]:
            entry["error"] = _trace(record.exc_info[1], with_words=self._with_words)
        return json.dumps(entry, default=str, ensure_ascii=False)


class PlainText(logging.Formatter):
    """One line per record, and the way of an exception below it."""

    def __init__(self, with_words: bool) -> None:
        super().__init__()
        self._with_words = with_words

    def format(self, record: logging.LogRecord) -> str:
        time = _moment(record).astimezone().strftime("%H:%M:%S")
        facts = "".join(f" {name}={json.dumps(value, default=str)}" for name, value in _facts(record).items())
        line = f"{time} {record.levelname:<7} {record.getMessage().strip()}{facts}"
        if record.exc_info and record.exc_info[1]:
            return "\n  ".join([line, *_trace(record.exc_info[1], with_words=self._with_words)])
        return line


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _trace(error: BaseException, *, with_words: bool) -> list[str]:
    """The error and those behind it, each with the places it came through, the innermost last."""
    lines: list[str] = []
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        kind = type(current).__qualname__
        lines.append(f"{'from ' if lines else ''}{kind}{f': {current}' if with_words else ''}")
        frames = traceback.extract_tb(current.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        waiting += _behind(current)
    return lines


def _behind(error: BaseException) -> list[BaseException]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [*members, *([cause] if cause else [])]
