"""Times as RFC 3339 writes them, and texts that only look alike."""

from datetime import UTC, datetime

import pytest

from gateway.domain.moment import read_rfc3339


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-30T12:00:00Z", datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("2026-11-30t12:00:00.25z", datetime(2026, 11, 30, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-11-30 14:30:00+02:30", datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("2026-11-30T12:00:00.1234567Z", datetime(2026, 11, 30, 12, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_time_is_read_in_utc(text, moment):
    assert read_rfc3339(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-30",
        "2026-11-30T12:00:00",
        "2026-11-30T12:00Z",
        "1795694400",
        "2026-02-30T12:00:00Z",
        "2026-11-30T24:00:00Z",
        "2026-11-30T12:00:60Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-11-30T12:00:00Z\n",
        "٢٠٢٦-11-30T12:00:00Z",
    ],
)
def test_text_that_is_no_such_time_is_refused(text):
    with pytest.raises(ValueError, match="must be a time"):
        read_rfc3339(text)
