"""The messages of a job as the API shows them: exact, but for the secrets in the arguments of calls."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.domain import secret_places
from gateway.domain.json_text import compact, place_at
from gateway.domain.secret_places import Pointers
from gateway.store.tables import Approval, Message
from gateway.tools.registry import ToolRegistry


def view_messages(messages: Sequence[Message], calls: Sequence[Approval], tools: ToolRegistry) -> list[Any]:
    """Each message for ``answers.dump``."""
    secrets = {(call.round, call.position): secret_places.read(call.secrets) for call in calls}
    return [orjson.Fragment(_masked(message, secrets, tools)) for message in messages]


def _masked(message: Message, secrets: Mapping[tuple[int | None, int | None], Pointers], tools: ToolRegistry) -> str:
    text = message.body
    if message.role != "assistant":
        return text
    calls = json.loads(text).get("tool_calls")
    for index, call in enumerate(calls if isinstance(calls, list) else []):
        asked_with = secrets.get((message.round, index + 1))
        pointers = _present_secrets(call, tools) if asked_with is None else asked_with
        place = place_at(text, ("tool_calls", index, "function", "arguments")) if pointers else None
        if place is not None:
            text = text[: place[0]] + _masked_arguments(text[slice(*place)], pointers) + text[place[1] :]
    return text


def _present_secrets(call: Any, tools: ToolRegistry) -> Pointers:
    """Those of a call that was never opened here, or that came with the submitted messages."""
    function = call.get("function") if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    tool = tools.get(name) if isinstance(name, str) else None
    return tool.definition.secret if tool else ()


def _masked_arguments(source: str, pointers: Pointers) -> str:
    arguments = json.loads(source)
    if not isinstance(arguments, str):
        return secret_places.masked(source, pointers)
    shown = secret_places.shown(arguments, pointers)
    return source if shown == arguments else compact(shown)
