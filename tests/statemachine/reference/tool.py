"""What the gate knows of a tool, and what the model makes of it."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Tool:
    """A registered tool, as far as the gate knows it. ``version`` stands for the hash of its definition."""

    name: str
    is_gated: bool = True
    is_idempotent: bool = False
    needs_note: bool = False
    expires_after_s: float | None = None
    run_within_s: float | None = None
    version: int = 1

    def accepts(self, arguments: str) -> bool:
        """The schema of every version: ``n`` is a number if it is there, and ``to`` is text."""
        given = json.loads(arguments)
        numeric = not isinstance(given.get("n", 0), bool) and isinstance(given.get("n", 0), int | float)
        return numeric and isinstance(given.get("to", ""), str)


@dataclass(frozen=True)
class ModelCall:
    """A call in an answer: what the model sends and what must be kept of it. ``fault`` names why it is unfit."""

    tool: str
    sent: Any
    details: str | None
    fault: str | None = None
    id: str | None = ""
