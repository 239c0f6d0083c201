"""What the model must be told about a call (contract, section 4): a pattern for the whole text."""

import re

Told = re.Pattern[str]


def exactly(text: str) -> Told:
    return re.compile(re.escape(text), re.DOTALL)


def beginning(start: str) -> Told:
    """For sentences whose rest the contract leaves open."""
    return re.compile(re.escape(start) + ".*", re.DOTALL)


def naming(*words: str) -> Told:
    """These words one after the other, whatever stands between them."""
    return re.compile(".*" + ".*".join(re.escape(word) for word in words) + ".*", re.DOTALL)


def either(one: Told, other: Told) -> Told:
    return re.compile(f"(?:{one.pattern})|(?:{other.pattern})", re.DOTALL)


def edited(arguments: str, told: Told) -> Told:
    """One line that says with which arguments a reviewer had it run, then what is told anyway."""
    return re.compile(f"[^\n]*reviewer[^\n]*{re.escape(arguments)}\n(?:{told.pattern})", re.DOTALL)


RESULT_NOT_RECORDED = naming("ran", "not recorded")
DID_NOT_RUN = "Error: the call did not run."
EXPIRED = exactly("Action expired: no decision was made in time. It was not executed.")
CANCELLED = exactly("Action cancelled: not executed.")
ROUND_LIMIT = exactly("Not executed: round limit.")
RUN_TOO_LATE = naming("not executed")
ERROR = beginning("Error: ")
REJECTED_UNASKED = beginning("Action rejected: ")


def rejected(note: str | None) -> Told:
    return exactly(f"Action rejected: {note or 'blocked by reviewer'}")


def did_not_run(note: str | None) -> Told:
    return re.compile(f"{re.escape(DID_NOT_RUN)}.*{re.escape(note or '')}", re.DOTALL)
