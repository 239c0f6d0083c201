"""From the body of Mistral's answer to a turn: exact argument text, and a message that may be sent back.

Wire facts: ids may be ``"null"`` or doubled, ``arguments`` may be an object,
``content`` may be a list of chunks, and a message with unknown members is
refused when it comes back (422), so only the known ones are kept.
"""

import json
from typing import Any

from gateway.domain.json_text import Limits, dump_literal, lenient_slice_at, parse_literal
from gateway.domain.turn import ModelAnswer, ToolCall, Usage, sendable_name
from gateway.errors import GatewayError

#: Of an answer; the arguments in it have their own, narrower limits at intake.
_BODY_LIMITS = Limits(max_bytes=64 << 20, max_string_bytes=64 << 20, max_depth=200, max_keys=1_000_000)

MAX_TOKENS = 10_000_000  # of one call; more is not a count
MAX_INT_DIGITS = 20


class NotAnAnswer(Exception):
    """The body is not a chat completion with a message in it."""


def read_answer(body: str) -> ModelAnswer:
    """The turn in a chat completion's body. Raises: NotAnAnswer."""
    try:
        completion = json.loads(body, parse_int=_small_int)
        choice = completion["choices"][0]
        received = choice["message"]
        calls = tuple(_call(body, index, call) for index, call in enumerate(received.get("tool_calls") or ()))
        message = _sendable(received, calls)
        return ModelAnswer(
            response=body,
            message=message,
            text=_text(message["content"]),
            finish_reason=_finish_reason(choice.get("finish_reason")),
            calls=calls,
            usage=_usage(completion.get("usage") or {}),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise NotAnAnswer(f"The answer of the model cannot be read ({type(error).__name__}).") from error


def _call(body: str, index: int, call: dict[str, Any]) -> ToolCall:
    function = call["function"]
    name, arguments = function["name"], function.get("arguments", "")
    if not isinstance(name, str):
        raise TypeError("a tool call without a name")
    if isinstance(arguments, str):
        return ToolCall(id=_id(call), name=name, arguments=arguments)
    return ToolCall(id=_id(call), name=name, arguments=_object_text(body, index), is_text=False)


def _id(call: dict[str, Any]) -> str | None:
    given = call.get("id")
    return given if isinstance(given, str) else None


def _object_text(body: str, index: int) -> str:
    """Compact JSON of an object that came where Mistral sends text, its numbers as they were written."""
    # Whatever else the answer says need not be strict JSON: only these arguments are ours to refuse.
    written = lenient_slice_at(body, ("choices", 0, "message", "tool_calls", index, "function", "arguments"))
    try:
        return dump_literal(parse_literal(written or "null", _BODY_LIMITS))
    except GatewayError:
        # Not strict JSON: intake refuses it, and shows this text.
        return written or "null"


def _finish_reason(given: Any) -> str | None:
    return given if isinstance(given, str) and given.isprintable() else None


def _sendable(received: dict[str, Any], calls: tuple[ToolCall, ...]) -> dict[str, Any]:
    content = received.get("content")
    message: dict[str, Any] = {"role": "assistant", "content": "" if content is None else _encodable(content)}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": sendable_name(call.name), "arguments": _encodable(call.arguments)},
            }
            for call in calls
        ]
    return message


def _text(content: Any) -> str:
    """The words of a content that is text or a list of chunks; thinking is not words."""
    if isinstance(content, str):
        return content
    return "".join(chunk.get("text", "") for chunk in content if chunk.get("type") == "text")


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=_tokens(usage.get("prompt_tokens")),
        completion_tokens=_tokens(usage.get("completion_tokens")),
        total_tokens=_tokens(usage.get("total_tokens")),
    )


def _tokens(count: Any) -> int:
    """A count as it may be stored and added up; 0 for what cannot be one."""
    return count if isinstance(count, int) and 0 <= count <= MAX_TOKENS else 0


def _small_int(literal: str) -> int:
    # Python refuses to read integers of more than 4,300 digits. Arguments are read apart, from their exact text.
    return int(literal) if len(literal) <= MAX_INT_DIGITS else 0


def _encodable(value: Any) -> Any:
    """``value`` with lone surrogates as U+FFFD: they cannot be stored or sent as UTF-8."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode() if not value.isascii() else value
        case list():
            return [_encodable(item) for item in value]
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case _:
            return value
