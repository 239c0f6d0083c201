"""Times as clients write them."""

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read_rfc3339(text: str) -> datetime:
    """The time in UTC, to the microsecond. Raises: ValueError with a sentence for people.

    Source: RFC 3339, section 5.6; a leap second is refused, for Python knows none.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("must be a time like 2026-11-30T12:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time that exists") from None
