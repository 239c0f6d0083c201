"""What the real API refuses, refused here: requests checked with Mistral's own ``mistral-common``.

Four layers, in this order: keys and types of the body (422), the identifiers and
the order of messages as the live API demands them (400, see ``Rules``), and the
request rules of mistral-common in serving mode (400).

mistral-common is an optional extra and is imported only when a checker is made.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError

from gateway.demo import refusals
from gateway.errors import InvalidSetting

Check = Callable[[dict[str, Any], bool], None]

#: Keys that mistral-common knows and checks.
_SHARED_KEYS = frozenset(
    {"model", "messages", "tools", "tool_choice", "response_format", "max_tokens", "random_seed", "parallel_tool_calls"}
)
#: Content chunks that the API takes and mistral-common does not know.
_WIRE_CHUNKS = frozenset({"document_url", "file", "reference"})
_NINE_CHARACTERS = re.compile(r"[A-Za-z0-9]{9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Two rules that the live API has had in some months and for some models only; the strict side is the default."""

    ids_have_nine_characters: bool = True
    user_may_follow_tool: bool = False


STRICT = Rules()


def request_checker(rules: Rules = STRICT) -> Check:
    """A check of one request's body, which raises ``Refusal``; its second argument is true for the agents' route.

    Raises:
        InvalidSetting: mistral-common is not installed.
    """
    try:
        from mistral_common.exceptions import MistralCommonException
        from mistral_common.protocol.instruct.messages import ChatMessage
        from mistral_common.protocol.instruct.request import ChatCompletionRequest
        from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
        from mistral_common.tokens.tokenizers.base import TokenizerVersion
    except ImportError as error:
        raise InvalidSetting(
            "Requests to the scripted model are checked with mistral-common, which is not installed: "
            "install countersign with its extra 'demo', or switch the check off."
        ) from error
    validator = get_validator(TokenizerVersion("v13"), ValidationMode.serving)
    request_type = ChatCompletionRequest[ChatMessage]

    def check(body: dict[str, Any], for_agent: bool) -> None:
        problems = _problems(_AgentFields if for_agent else _ChatFields, body)
        problems += [_extra(key, body[key]) for key in body if key not in _known_keys(for_agent)]
        try:
            request = request_type.model_validate(_without_wire_parts(body))
        except ValidationError as error:
            raise refusals.invalid_body(problems + _listed(error)) from error
        if problems:
            raise refusals.invalid_body(problems)
        _check_messages(body["messages"], rules)
        try:
            validator.validate_request(request)
        except MistralCommonException as error:
            raise _refusal(type(error).__name__, error.message) from error

    return check


class _Fields(BaseModel):
    """Fields of both routes that mistral-common does not know, or checks more narrowly than the live API."""

    stream: bool = False
    stop: str | list[str] | None = None
    metadata: dict[str, JsonValue] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    repetition_penalty: float | None = None
    top_k: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    prompt_logprobs: bool | None = None
    top_prompt_logprobs: int | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    prediction: dict[str, JsonValue] | None = None
    prompt_mode: str | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    guardrails: list[dict[str, JsonValue]] | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None


class _ChatFields(_Fields):
    """Fields of /v1/chat/completions. ``model`` is optional in mistral-common only."""

    model: str
    # The API's schema allows 1.5 where mistral-common stops at 1.
    temperature: Annotated[float, Field(ge=0, le=1.5)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    safe_prompt: bool = False


class _AgentFields(_Fields):
    """Fields of /v1/agents/completions, which knows no model and no sampling."""

    agent_id: str


def _known_keys(for_agent: bool) -> frozenset[str]:
    if for_agent:
        return (_SHARED_KEYS - {"model"}) | set(_AgentFields.model_fields)
    return _SHARED_KEYS | set(_ChatFields.model_fields)


def _problems(fields: type[_Fields], body: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        fields.model_validate(body)
    except ValidationError as error:
        return _listed(error)
    return []


def _listed(error: ValidationError) -> list[dict[str, Any]]:
    entries = error.errors(include_url=False, include_context=False)
    return [
        {"type": entry["type"], "loc": ["body", *entry["loc"]], "msg": entry["msg"], "input": entry["input"]}
        for entry in entries
    ]


def _extra(key: str, value: Any) -> dict[str, Any]:
    return {"type": "extra_forbidden", "loc": ["body", key], "msg": "Extra inputs are not permitted", "input": value}


def _without_wire_parts(body: dict[str, Any]) -> dict[str, Any]:
    """The part of the body that mistral-common checks, in its own spelling."""
    shared = {key: value for key, value in body.items() if key in _SHARED_KEYS}
    shared["model"] = "checked elsewhere"
    if isinstance(body.get("messages"), list):
        shared["messages"] = [_message(message) for message in body["messages"]]
    return shared


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    plain = dict(message)
    if isinstance(message.get("content"), list):
        plain["content"] = [_chunk(chunk) for chunk in message["content"]]
    if isinstance(message.get("tool_calls"), list):
        plain["tool_calls"] = [_without(call, "index") for call in message["tool_calls"]]
    return plain


def _chunk(chunk: Any) -> Any:
    if not isinstance(chunk, dict):
        return chunk
    if chunk.get("type") in _WIRE_CHUNKS:
        return {"type": "text", "text": ""}
    if chunk.get("type") == "thinking" and isinstance(chunk.get("thinking"), list):
        thoughts = [part.get("text", "") for part in chunk["thinking"] if isinstance(part, dict)]
        return {**_without(chunk, "signature"), "thinking": "".join(thoughts)}
    return chunk


def _without(part: Any, key: str) -> Any:
    return {name: value for name, value in part.items() if name != key} if isinstance(part, dict) else part


def _check_messages(messages: list[dict[str, Any]], rules: Rules) -> None:
    previous_role = None
    for message in messages:
        if previous_role == "tool" and message["role"] == "user" and not rules.user_may_follow_tool:
            raise refusals.invalid_order("Unexpected role 'user' after role 'tool'")
        previous_role = message["role"]
        if rules.ids_have_nine_characters:
            _check_ids(message)


def _check_ids(message: dict[str, Any]) -> None:
    ids = [call.get("id", "null") for call in message.get("tool_calls") or []]
    if message["role"] == "tool":
        ids.append(message.get("tool_call_id"))
    for call_id in ids:
        if not _NINE_CHARACTERS.fullmatch(str(call_id)):
            raise refusals.invalid_call(f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9.")


def _refusal(exception_name: str, message: str) -> refusals.Refusal:
    # Counted calls and results share an exception with the order of roles, but not a code (recorded).
    about_order = message.startswith(("Unexpected role", "Expected last role", "Conversation must"))
    if exception_name == "InvalidMessageStructureException" and about_order:
        return refusals.invalid_order(message)
    if exception_name == "InvalidFunctionCallException":
        return refusals.invalid_call(message)
    return refusals.invalid_request(message)
