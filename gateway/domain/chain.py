"""The chain of decisions: each entry's hash covers the entry and the hash before it.

``entry_hash = sha256(prev_hash ‖ canonical entry)`` with the JSON
Canonicalization Scheme (RFC 8785) for our own envelope only: arguments stand
in it as text and by their SHA-256, never as numbers.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

GENESIS = "0" * 64  #: what the first entry calls the hash before it

#: The columns that the hash covers, in the names of the decisions table.
COVERED = (
    "seq", "id", "at", "approval_id", "job_id", "app", "origin", "action", "verdict", "is_final", "actor_kind",
    "actor_id", "actor_name", "actor_role", "channel", "rule_id", "rule_version", "details_sha256",
    "effective_sha256", "modified_details", "note", "reason_code", "response", "waited_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Break:
    """The first place at which the chain does not hold."""

    seq: int
    reason: str


def entry_hash(prev_hash: str, entry: Mapping[str, Any]) -> str:
    """The hash that an entry must carry; ``entry`` maps at least the covered columns."""
    covered = {name: _canonical(entry[name]) for name in COVERED}
    return hashlib.sha256(bytes.fromhex(prev_hash) + rfc8785.dumps(covered)).hexdigest()


def first_break(entries: Iterable[Mapping[str, Any]], head_seq: int, head_hash: str) -> Break | None:
    """None when every entry follows from the one before and the last one is the head.

    ``entries`` come in the order of ``seq``; they are read one by one.
    """
    prev_hash, seq = GENESIS, 0
    for entry in entries:
        if entry["seq"] != seq + 1:
            return Break(seq + 1, f"entry {seq + 1} is missing")
        seq += 1
        if entry["prev_hash"] != prev_hash:
            return Break(seq, f"entry {seq} does not follow from the entry before it")
        if not _hash_holds(prev_hash, entry):
            return Break(seq, f"entry {seq} was changed")
        prev_hash = entry["entry_hash"]
    if head_seq != seq:
        missing = "entries were cut off the end" if head_seq > seq else "the head does not know the last entries"
        return Break(min(seq, head_seq) + 1, f"{missing}: the head names {head_seq}, the table ends at {seq}")
    if head_hash != prev_hash:
        return Break(seq, "the head carries another hash than the last entry")
    return None


def _hash_holds(prev_hash: str, entry: Mapping[str, Any]) -> bool:
    try:
        return bool(entry_hash(prev_hash, entry) == entry["entry_hash"])
    except (ValueError, TypeError):
        # A value that cannot even be canonical was not written by us.
        return False


def _canonical(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value
