"""What holds of the rows among themselves, whatever has happened."""

import json
from datetime import UTC, datetime
from typing import Any

from gateway.domain.chain import GENESIS, entry_hash
from tests.rows import Row, Rows


def check_turns(rows: Rows) -> None:
    """A tool message answers the call of its number, and no id names two calls of a conversation."""
    for job_id in rows.jobs:
        named: list[str] = []
        for (of_job, round, slot), body in rows.messages.items():
            if of_job != job_id or round == 0 or slot > 0:
                continue
            ids = [call["id"] for call in json.loads(body).get("tool_calls", [])]
            named += ids
            for at, result in rows.results_of(job_id, round).items():
                assert result["tool_call_id"] == ids[at - 1]
        assert len(named) == len(set(named))


def check_events(rows: Rows) -> None:
    """A job's events count from 1 without a gap, and the job knows the last number."""
    for id, job in rows.jobs.items():
        least, greatest, many = rows.events[id]
        assert (least, greatest, many) == (1, job["seq"], job["seq"])


class ChainWatch:
    """Checks what was appended since the last look; what stands before it cannot change unseen: it is compared."""

    def __init__(self) -> None:
        self._seen: list[Row] = []

    def check(self, rows: Rows) -> None:
        assert rows.decisions[: len(self._seen)] == self._seen, "the log of decisions is append-only"
        prev_hash = self._seen[-1]["entry_hash"] if self._seen else GENESIS
        for seq, row in enumerate(rows.decisions[len(self._seen) :], start=len(self._seen) + 1):
            assert (row["seq"], row["prev_hash"]) == (seq, prev_hash)
            assert row["entry_hash"] == entry_hash(prev_hash, {**dict(row), **_typed(row)})
            prev_hash = row["entry_hash"]
        assert rows.head == (len(rows.decisions), prev_hash)
        self._seen = rows.decisions


def _typed(row: Row) -> dict[str, Any]:
    """What SQLite keeps as text or number, as what it stands for."""
    at = row["at"]
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at
    return {"at": moment, "is_final": bool(row["is_final"])}
