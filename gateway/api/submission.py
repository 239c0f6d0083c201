"""The body of ``POST /api/v1/jobs``."""

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from gateway.api.bodies import ClientBody, Words, invalid, parse_as, read_members, refuse_coming
from gateway.domain import json_pointer
from gateway.domain.callback_url import MAX_CHARS
from gateway.domain.expiry import MAX_AHEAD
from gateway.domain.json_text import Limits, elements
from gateway.errors import InvalidRequest
from gateway.usecases.jobs import Submission

MAX_ROUNDS = 256
MAX_DEADLINE_S = int(MAX_AHEAD.total_seconds())
MAX_METADATA_CHARS = 64 * 1024
MAX_KEYS = 200_000  # over all messages: a long conversation has many
MAX_DEPTH = 64

#: What a message of each role may have, in Mistral's names: nothing else would reach the model.
FIELDS_OF_ROLE = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
NOT_YET = ("session_id", "files")

_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}")


def _check_email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("must be an e-mail address")
    return text


def _check_tool_choice(value: object) -> object:
    match value:
        case "auto" | "none" | "any" | "required":
            return value
        case {"type": "function", "function": {"name": str(), **more_inside}, **more} if not more and not more_inside:
            return value
    raise ValueError('must be "auto", "none", "any", "required" or {"type": "function", "function": {"name": …}}')


_TOOL_CHOICE_SCHEMA = {
    "anyOf": [
        {"enum": ["auto", "none", "any", "required"]},
        {
            "type": "object",
            "required": ["type", "function"],
            "properties": {
                "type": {"const": "function"},
                "function": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            },
        },
    ]
}


class JobBody(ClientBody):
    """What an app wants done: ``input`` or ``messages``, and how."""

    input: Words | None = Field(None, description="Becomes a user message")
    messages: list[dict[str, Any]] | None = Field(None, description="Mistral messages, kept character for character")
    model: Words | None = Field(None, description="Absent: the gateway's default model")
    agent_id: Words | None = Field(None, description="A Mistral agent instead of a model")
    instructions: Words | None = Field(None, description="Becomes the first system message")
    tools: list[str] | None = Field(None, description="Names of registered tools; absent: all of them")
    tool_choice: Annotated[Any, PlainValidator(_check_tool_choice), WithJsonSchema(_TOOL_CHOICE_SCHEMA)] = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=10_000_000)
    max_rounds: int = Field(10, ge=1, le=MAX_ROUNDS, description="Model calls at most")
    max_repeats: int | None = Field(
        None,
        ge=0,
        le=MAX_ROUNDS,
        description="How many times the model may ask again for a call that was rejected; one time more, and the job "
        "fails. Absent: the gateway's setting",
    )
    deadline_s: int | None = Field(
        None, ge=1, le=MAX_DEADLINE_S, description="Seconds from now on; a job that has not ended by then fails"
    )
    permission: Literal["auto", "ask", "deny"] = Field(
        "auto", description="ask: every call asks a person; deny: every gated call is rejected unasked"
    )
    on_behalf_of: Annotated[str, AfterValidator(_check_email)] | None = Field(
        None, description="E-mail of the person whose request this is; that person may not decide it"
    )
    callback_url: Words | None = Field(
        None, max_length=MAX_CHARS, description="Where the end of the job is told: a public https address"
    )
    metadata: dict[str, Any] | None = Field(None, description="Kept and given back character for character")


EXAMPLES: dict[str, Any] = {
    "input": {"summary": "A sentence", "value": {"input": "Cancel order ord_1042", "metadata": {"ticket": 4711}}},
    "messages": {
        "summary": "A conversation, with two of the tools",
        "value": {
            "messages": [{"role": "user", "content": "Refund order ord_1042"}],
            "model": "mistral-small-latest",
            "tools": ["get_order", "issue_refund"],
            "permission": "ask",
        },
    },
    "limits": {
        "summary": "At most six model calls, within an hour, and no rejected call more than twice",
        "value": {"input": "Refund order ord_1042", "max_rounds": 6, "max_repeats": 1, "deadline_s": 3600},
    },
    "callback": {
        "summary": "Its end is told to an address",
        "value": {"input": "Refund order ord_1042", "callback_url": "https://shop.example.com/hooks/countersign"},
    },
}

_OPTIONS = ("tool_choice", "parallel_tool_calls", "response_format", "temperature", "max_tokens")


def read_submission(raw: bytes, idempotency_key: str | None, max_bytes: int) -> Submission:
    """What the body asks for. Raises: InvalidJson, TooLarge, InvalidRequest, NotAvailable."""
    limits = Limits(max_bytes=max_bytes, max_string_bytes=max_bytes, max_depth=MAX_DEPTH, max_keys=MAX_KEYS)
    texts = read_members(raw, limits)
    refuse_coming(texts, *NOT_YET)
    body = parse_as(JobBody, raw)
    _check_together(body)
    return Submission(
        messages=_messages(body, texts, limits),
        model=body.model,
        agent_id=body.agent_id,
        options={name: value for name in _OPTIONS if (value := getattr(body, name)) is not None},
        tools=None if body.tools is None else tuple(body.tools),
        permission=body.permission,
        max_rounds=body.max_rounds,
        deadline_s=body.deadline_s,
        max_repeats=body.max_repeats,
        on_behalf_of=body.on_behalf_of,
        callback_url=body.callback_url,
        metadata_text=None if body.metadata is None else _metadata(texts["metadata"]),
        idempotency_key=idempotency_key,
        body_sha256=hashlib.sha256(raw).hexdigest(),
    )


def _check_together(body: JobBody) -> None:
    if (body.input is None) == (body.messages is None):
        raise InvalidRequest("Send either input or messages.")
    if body.model is not None and body.agent_id is not None:
        raise InvalidRequest("Send model or agent_id, not both.")
    if body.agent_id is not None and body.temperature is not None:
        raise _bad("/temperature", "an agent has a temperature of its own")
    if body.tools is not None and len(set(body.tools)) < len(body.tools):
        raise _bad("/tools", "each tool may be named once")
    choice = body.tool_choice
    if isinstance(choice, dict) and body.tools is not None and choice["function"]["name"] not in body.tools:
        raise _bad("/tool_choice", "this tool is not among the job's tools")


def _messages(body: JobBody, texts: dict[str, str], limits: Limits) -> tuple[tuple[str, str], ...]:
    """Role and exact text of each message, the instructions first."""
    first = [] if body.instructions is None else [("system", _message("system", body.instructions))]
    if body.messages is None:
        return (*first, ("user", _message("user", body.input or "")))
    _check_messages(body.messages)
    slices = elements(texts["messages"], limits)
    return (*first, *((message["role"], text) for message, text in zip(body.messages, slices, strict=True)))


def _message(role: str, content: str) -> str:
    return json.dumps({"role": role, "content": content}, ensure_ascii=False)


def _check_messages(messages: list[dict[str, Any]]) -> None:
    """Roles and contents have the right form; the rest is for the model's API to judge."""
    if not messages:
        raise _bad("/messages", "at least one message is needed")
    wrong = [
        {"pointer": f"/messages/{index}{field}", "message": reason}
        for index, message in enumerate(messages)
        for field, reason in _flaws(message)
    ]
    if wrong:
        raise invalid(wrong)


def _flaws(message: dict[str, Any]) -> list[tuple[str, str]]:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in FIELDS_OF_ROLE:
        return [("/role", f"must be one of {', '.join(FIELDS_OF_ROLE)}")]
    unknown = [name for name in message if name not in FIELDS_OF_ROLE[role]]
    flaws = [(json_pointer.from_path([name]), f"is no field of a message with the role {role}") for name in unknown]
    if not isinstance(content, str | list) and not (role == "assistant" and content is None):
        flaws.append(("/content", "must be text or a list of content chunks"))
    if role == "assistant" and not content and not message.get("tool_calls"):
        flaws.append(("", "an assistant message needs content or tool_calls"))
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        flaws.append(("/tool_call_id", "must be the id of the call that this answers"))
    return flaws


def _metadata(text: str) -> str:
    if len(text) > MAX_METADATA_CHARS:
        raise _bad("/metadata", f"must not be longer than {MAX_METADATA_CHARS} characters")
    return text


def _bad(pointer: str, message: str) -> InvalidRequest:
    return invalid([{"pointer": pointer, "message": message}])
