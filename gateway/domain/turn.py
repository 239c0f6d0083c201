"""What a model call is asked with and what it answers, free of any SDK."""

import re
from dataclasses import dataclass, field
from typing import Any

MAX_NAME_LENGTH = 64

_UNSENDABLE = re.compile(r"[^A-Za-z0-9_-]")


def sendable_name(name: str) -> str:
    """A tool name that Mistral takes back: what the model invents may hold characters that it refuses (400)."""
    return _UNSENDABLE.sub("_", name)[:MAX_NAME_LENGTH] or "unnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model call; ``options`` holds only what the job set, in Mistral's names."""

    model: str | None
    agent_id: str | None
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a turn. ``arguments`` is the text as received."""

    id: str | None
    name: str
    arguments: str
    is_text: bool = True  #: False: an object came where Mistral sends text; ``arguments`` is its compact JSON


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """One answer of the model."""

    response: str  #: the HTTP body as received
    message: dict[str, Any]  #: the assistant message in the form in which it is sent back
    text: str  #: its words, without thinking
    finish_reason: str | None
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()


class ModelTrouble(Exception):
    """A model call gave no answer. ``is_permanent``: the same request will not work later either.

    ``reason`` is a sentence of ours that may be logged. ``quoted`` are the server's words: they may repeat what the job
    sent, so they are told to whoever sees the job, in ``message``, and to nobody else.
    """

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        quoted: str | None = None,
        is_permanent: bool,
        retry_after_s: float | None = None,
    ) -> None:
        self.code = code
        self.reason = reason
        self.message = reason if quoted is None else f"{reason.removesuffix('.')}: {quoted}"
        super().__init__(self.message)
        self.is_permanent = is_permanent
        self.retry_after_s = retry_after_s
