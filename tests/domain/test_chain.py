"""The chain of decisions as pure arithmetic."""

import copy
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.domain.chain import COVERED, GENESIS, entry_hash, first_break

AT = datetime(2026, 3, 1, 9, 0, 0, 1, tzinfo=UTC)


def chained(count: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    prev_hash = GENESIS
    for seq in range(1, count + 1):
        entry: dict[str, Any] = {**dict.fromkeys(COVERED), "seq": seq, "id": f"dec_{seq}", "at": AT, "is_final": True}
        entry |= {"prev_hash": prev_hash, "entry_hash": entry_hash(prev_hash, entry)}
        prev_hash = entry["entry_hash"]
        entries.append(entry)
    return entries


def broken_at(entries: list[dict[str, Any]], head_seq: int, head_hash: str) -> int | None:
    found = first_break(entries, head_seq, head_hash)
    return found.seq if found else None


def test_hash_can_be_computed_by_anybody_with_a_json_canonicalizer() -> None:
    entry = dict.fromkeys(COVERED) | {"seq": 1, "id": "dec_1", "at": AT, "is_final": True, "note": 'é"\n'}
    members = {**entry, "at": "2026-03-01T09:00:00.000001Z"}
    texts = {name: _json(value) for name, value in members.items()}
    canonical = "{" + ",".join(f'"{name}":{texts[name]}' for name in sorted(texts)) + "}"

    expected = hashlib.sha256(bytes(32) + canonical.encode()).hexdigest()

    assert entry_hash(GENESIS, entry) == expected


def _json(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, int) else '"' + str(value).replace('"', '\\"').replace("\n", "\\n") + '"'


def test_time_zone_of_the_reader_does_not_matter() -> None:
    entry = chained(1)[0]
    elsewhere = entry | {"at": AT.astimezone(timezone(timedelta(hours=5, minutes=30)))}

    assert entry_hash(GENESIS, elsewhere) == entry["entry_hash"]


def test_whole_chain_holds() -> None:
    entries = chained(5)
    assert broken_at(entries, 5, entries[-1]["entry_hash"]) is None
    assert broken_at([], 0, GENESIS) is None


@pytest.mark.parametrize("column", [name for name in COVERED if name != "seq"])
def test_every_covered_column_counts(column: str) -> None:
    entries = chained(4)
    head = entries[-1]["entry_hash"]
    changed = copy.deepcopy(entries)
    changed[2][column] = "other"

    assert broken_at(changed, 4, head) == 3


def test_missing_swapped_and_repeated_entries_are_named() -> None:
    entries = chained(4)
    head = entries[-1]["entry_hash"]

    assert broken_at(entries[1:], 4, head) == 1
    assert broken_at([*entries[:1], *entries[2:]], 4, head) == 2
    assert broken_at(entries[:2], 4, head) == 3
    assert broken_at([], 4, head) == 1
    assert broken_at([entries[0], entries[2], entries[1], entries[3]], 4, head) == 2
    assert broken_at([entries[0], entries[0], *entries[1:]], 4, head) == 2
    assert broken_at(entries, 3, entries[2]["entry_hash"]) == 4
    assert broken_at(entries, 4, "f" * 64) == 4


def test_entry_rewritten_with_a_fresh_hash_breaks_the_next_one() -> None:
    entries = chained(4)
    entries[1]["note"] = "rewritten"
    entries[1]["entry_hash"] = entry_hash(entries[1]["prev_hash"], entries[1])

    assert broken_at(entries, 4, entries[-1]["entry_hash"]) == 3


@pytest.mark.parametrize("odd", [2**60, float("inf"), b"x", object(), "\ud800"])
def test_value_without_a_canonical_form_is_a_break_not_a_crash(odd: object) -> None:
    entries = chained(3)
    entries[1]["note"] = odd

    assert broken_at(entries, 3, entries[-1]["entry_hash"]) == 2
