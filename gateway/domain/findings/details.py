"""All checks of the arguments of one call, in bounded time."""

from collections.abc import Callable, Iterator
from itertools import islice

from gateway.domain.findings import hidden_characters, links, look_alikes, python_code, secret_text
from gateway.domain.findings.finding import Finding
from gateway.domain.findings.strings import Text, texts_of
from gateway.domain.json_text import LIMITS, Limits, parse_literal
from gateway.errors import InvalidJson, TooLarge

#: Real calls have a few hundred texts at most.
MAX_TEXTS = 5_000
MAX_FINDINGS = 100

Check = Callable[[Text], list[Finding]]
CHECKS: tuple[Check, ...] = (
    hidden_characters.find, look_alikes.find, secret_text.find, links.find, python_code.find,
)  # fmt: skip


def findings_of(details_text: str, limits: Limits = LIMITS) -> list[Finding]:
    """What the checks found, in the order of the arguments; a last finding says what was not looked at.

    Arguments that cannot be read have none: they never become a call. Never raises, whatever the text.
    """
    try:
        details = parse_literal(details_text, limits)
    except (InvalidJson, TooLarge):
        return []
    texts = list(islice(texts_of(details), MAX_TEXTS + 1))
    found = list(islice(_all_of(texts[:MAX_TEXTS]), MAX_FINDINGS + 1))
    if len(found) > MAX_FINDINGS:
        message = f"Only the first {MAX_FINDINGS} findings are told; what follows was not checked."
        return [*found[:MAX_FINDINGS], Finding("not_checked", "", message)]
    if len(texts) > MAX_TEXTS:
        message = f"Only the first {MAX_TEXTS:,} texts were checked; there are more."
        found.append(Finding("not_checked", "", message))
    return found


def _all_of(texts: list[Text]) -> Iterator[Finding]:
    code_chars = 0
    for text in texts:
        if text.value.isascii() and text.value.isalnum() and len(text.value) < 16:
            continue  # a plain word: the usual text, and nothing can be found in it
        for check in CHECKS:
            if check is python_code.find and python_code.is_code(text):
                code_chars += len(text.value)
                if code_chars > python_code.MAX_CODE_CHARS >= len(text.value):
                    yield Finding(
                        "not_checked", text.pointer, "There is too much code in this call: it was not checked."
                    )
                    continue
            yield from check(text)
