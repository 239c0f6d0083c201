"""Mistral's answers on the wire: the completion in one piece, or as server-sent events."""

import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DONE = b"data: [DONE]\n\n"

_PADDING = "abcdefghijklmnopqrstuvwxyz0123456789"
_CHARACTERS_PER_TOKEN = 4
_CHARACTERS_PER_FRAGMENT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of the model, before it takes a form."""

    id: str
    model: str
    content: str | list[dict[str, Any]]
    tool_calls: list[dict[str, Any]]
    finish_reason: str
    prompt_tokens: int
    #: True: a stream carries each call in many chunks.
    fragments: bool = False


def completion(answer: Answer) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    message = {"role": "assistant", "tool_calls": answer.tool_calls or None, "content": answer.content}
    return {
        "id": answer.id,
        "created": int(time.time()),
        "model": answer.model,
        "usage": _usage(answer),
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": answer.finish_reason, "message": message}],
    }


def events(answer: Answer) -> list[bytes]:
    """The server-sent events of a streamed answer, without the closing ``DONE``."""
    deltas = [{"role": "assistant", "content": ""}, *_content_deltas(answer), *_call_deltas(answer)]
    created = int(time.time())
    encoded = []
    for number, delta in enumerate(deltas):
        is_last = number == len(deltas) - 1
        choice = {"index": 0, "delta": delta, "finish_reason": answer.finish_reason if is_last else None}
        chunk: dict[str, Any] = {
            "id": answer.id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": answer.model,
            "choices": [choice],
        }
        if is_last:
            chunk["usage"] = _usage(answer)
        if number > 0:
            # Mistral pads its chunks so that their length does not give the words away.
            chunk["p"] = _PADDING[: number * 7 % len(_PADDING)]
        encoded.append(b"data: " + encode(chunk) + b"\n\n")
    return encoded


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8; lone surrogates, which UTF-8 does not have, become question marks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def estimated_tokens(value: Any) -> int:
    """About as many tokens as Mistral would count; a scripted model has no tokenizer."""
    return math.ceil(len(encode(value)) / _CHARACTERS_PER_TOKEN)


def _usage(answer: Answer) -> dict[str, Any]:
    functions = [call["function"] for call in answer.tool_calls]
    completion_tokens = estimated_tokens([answer.content, *functions])
    return {
        "prompt_tokens": answer.prompt_tokens,
        "total_tokens": answer.prompt_tokens + completion_tokens,
        "completion_tokens": completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "service_tier": "standard",
    }


def _content_deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    if isinstance(answer.content, list):
        yield from ({"content": [chunk]} for chunk in answer.content)
        return
    for word in re.findall(r"\s*\S+\s*$|\s*\S+", answer.content):
        yield {"content": word}


def _call_deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    """All calls in one chunk, as most models send them, or in fragments, as devstral does."""
    if not answer.tool_calls:
        return
    if not answer.fragments:
        yield {"tool_calls": answer.tool_calls}
        return
    for call in answer.tool_calls:
        arguments = call["function"]["arguments"]
        yield {"tool_calls": [call | {"function": call["function"] | {"arguments": ""}}]}
        # A continuation has an empty name and no id (recorded).
        for start in range(0, len(arguments), _CHARACTERS_PER_FRAGMENT):
            piece = arguments[start : start + _CHARACTERS_PER_FRAGMENT]
            yield {"tool_calls": [{"function": {"name": "", "arguments": piece}, "index": call["index"]}]}
