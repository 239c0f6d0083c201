"""Which turn of a script answers a request, and with which words and calls.

Everything but the count of scripted failures follows from the request alone: the
same request gets the same answer, whichever server is asked and however often.
"""

import hashlib
import json
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.demo.script import Conversation, Script, ScriptedCall, Turn

Message = dict[str, Any]

_PLACE = re.compile(r"\{(?P<what>result|reason):(?P<number>\d+)(?:\.(?P<member>\w+))?\}")
_ID_CHARACTERS = string.ascii_letters + string.digits
_ID_LENGTH = 9


@dataclass(frozen=True, slots=True)
class Cue:
    """Where a request stands in a conversation."""

    conversation: Conversation | None
    #: Assistant messages since the user message that chose the conversation.
    position: int
    #: What the previous turn's calls came back with, in the order of the calls.
    results: Sequence[str]
    #: Every tool-call id in the request, in order.
    used_ids: Sequence[str]


def cue(script: Script, messages: Sequence[Message]) -> Cue:
    """Where this request stands: the conversation of its last user message and how far it has come."""
    prompt_at = max((at for at, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    prompt = _text(messages[prompt_at].get("content")).casefold() if prompt_at >= 0 else ""
    answers_at = [at for at, message in enumerate(messages) if at > prompt_at and message.get("role") == "assistant"]
    return Cue(
        conversation=next((each for each in script.conversations if each.when.casefold() in prompt), None),
        position=len(answers_at),
        results=_results(messages[answers_at[-1] :]) if answers_at else (),
        used_ids=[str(call.get("id")) for message in messages for call in message.get("tool_calls") or []],
    )


def choose(cue: Cue, failures: Counter[str], request_key: str) -> Turn | None:
    """The turn that answers, or None where the script has none.

    ``failures`` counts the scripted failures that ``request_key`` has had so far,
    and is counted on when the chosen turn is one with ``times``.
    """
    for number, turn in enumerate(_step(cue)):
        if not _applies(turn, cue.results):
            continue
        if turn.times is None:
            return turn
        failure = f"{request_key}/{number}"
        if failures[failure] < turn.times:
            failures[failure] += 1
            return turn
    return None


def words(turn: Turn, results: Sequence[str]) -> str | list[dict[str, Any]]:
    """The turn's content with the results of the previous turn in their places."""
    if isinstance(turn.content, str):
        return _PLACE.sub(lambda place: _fill(place, results), turn.content)
    return list(turn.content)


def calls(turn: Turn, cue: Cue) -> list[dict[str, Any]]:
    """The turn's tool calls as the wire has them, each with an id that the request does not hold yet."""
    used = set(cue.used_ids)
    wire: list[dict[str, Any]] = []
    for index, call in enumerate(turn.tool_calls):
        call_id = call.id if call.id is not None else _new_id(call, cue, index, used)
        used.add(call_id)
        function = {"name": call.name, "arguments": call.wire_arguments}
        wire.append({"id": call_id, "type": "function", "function": function, "index": index})
    return wire


def _text(content: Any) -> str:
    """The words of a message, whose content is text, a list of chunks, or nothing."""
    if isinstance(content, list):
        return "\n".join(str(chunk.get("text", "")) for chunk in content if isinstance(chunk, dict))
    return content if isinstance(content, str) else ""


def _results(messages: Sequence[Message]) -> list[str]:
    """The results of the first message's calls; an id may have been used before it."""
    answer, *later = messages
    by_id = {message.get("tool_call_id"): message.get("content") for message in later if message.get("role") == "tool"}
    return [_text(by_id.get(call.get("id"))) for call in answer.get("tool_calls") or []]


def _step(cue: Cue) -> list[Turn]:
    steps = cue.conversation.steps if cue.conversation else []
    if cue.position < len(steps):
        return steps[cue.position]
    if steps and any(turn.repeat for turn in steps[-1]):
        return steps[-1]
    return []


def _applies(turn: Turn, results: Sequence[str]) -> bool:
    match turn.if_result_contains:
        case None:
            return True
        case str() as text:
            return any(_contains(result, text) for result in results)
        case wanted:
            return all(
                0 < number <= len(results) and _contains(results[number - 1], text) for number, text in wanted.items()
            )


def _contains(result: str, text: str) -> bool:
    return text.casefold() in result.casefold()


def _fill(place: re.Match[str], results: Sequence[str]) -> str:
    """The text for one place; a place without anything to fill it stays as it is, so that it is seen."""
    number = int(place["number"])
    if not 0 < number <= len(results):
        return place[0]
    result = results[number - 1]
    if place["what"] == "reason":
        return result.partition(":")[2].strip() or result
    if place["member"] is None:
        return result
    return _member(result, place["member"]) or place[0]


def _member(result: str, name: str) -> str | None:
    """A member of the JSON object that the result is, or ends with (a line on a reviewer's edits may precede it)."""
    for text in (result, result.rpartition("\n")[2]):
        try:
            # Numbers keep their text: 249.00 stays 249.00.
            value = json.loads(text, parse_float=str, parse_int=str)
        except ValueError:
            continue
        if isinstance(value, dict) and name in value:
            member = value[name]
            return member if isinstance(member, str) else json.dumps(member, ensure_ascii=False)
    return None


def _new_id(call: ScriptedCall, cue: Cue, index: int, used: set[str]) -> str:
    """Nine letters and digits, the same for the same call at the same place, and not in use."""
    when = cue.conversation.when if cue.conversation else ""
    seed = json.dumps([when, cue.position, index, call.name, list(cue.used_ids)])
    attempt = 0
    while True:
        digest = hashlib.sha256(f"{seed}/{attempt}".encode()).digest()
        candidate = "".join(_ID_CHARACTERS[byte % len(_ID_CHARACTERS)] for byte in digest[:_ID_LENGTH])
        if candidate not in used:
            return candidate
        attempt += 1
