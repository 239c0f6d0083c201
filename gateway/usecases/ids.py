"""Ids: a word for the noun, then 26 characters that sort by time (ULID, 80 random bits)."""

import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_TOOL_CALL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


_lock = threading.Lock()
_last = 0


def new_id(noun: str) -> str:
    """``job_01k…``: 48 bits of Unix time in ms, then 80 random bits; later ones of this process sort behind.

    Source: https://github.com/ulid/spec (monotonicity), with a random step instead of 1.
    """
    global _last
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    with _lock:
        if value <= _last:
            value = _last + 1 + secrets.randbits(64)
        _last = value
    return f"{noun}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def new_tool_call_id() -> str:
    """Nine letters or digits: the only form of id that Mistral's own models take."""
    return "".join(secrets.choice(_TOOL_CALL_ALPHABET) for _ in range(9))
