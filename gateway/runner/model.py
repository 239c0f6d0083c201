"""Asking Mistral through its official SDK; the only module that imports it.

Nothing is retried here: the SDK does not retry a connection that breaks off,
and a sleeping thread is lost with its process. Attempts are rows instead
(``usecases.turns``), and this module only says whether another one may help.

The SDK builds and sends the request. An answer is read by ``runner.answer``
from the bytes as received: the SDK's types drop fields and refuse what a turn
can be read from, so its reading is left out, which also halves the cost.
"""

import functools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from mistralai.client import Mistral, models
from mistralai.client.errors import MistralError, ResponseValidationError
from mistralai.client.utils import queryparams, serializers
from pydantic import TypeAdapter

from gateway.domain.storable import storable
from gateway.domain.turn import ModelAnswer, ModelRequest, ModelTrouble
from gateway.runner.answer import NotAnAnswer, read_answer

MAX_REASON_LENGTH = 500

_MESSAGES = TypeAdapter(list[models.ChatCompletionRequestMessage])
_TOOLS = TypeAdapter(list[models.ChatCompletionRequestTool])
_TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})
_log = logging.getLogger(__name__)


class MistralModel:
    """The chat API behind one key and one address; used by many threads at a time."""

    def __init__(self, *, api_key: str | None, server_url: str | None, timeout_s: float) -> None:
        self._has_key = bool(api_key) or server_url is not None
        _keep_models_of_the_sdk()
        self._client = httpx2.Client(
            follow_redirects=False,
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=20),
            event_hooks={"response": [_take_answer]},
        )
        self._sdk = Mistral(
            api_key=api_key or "none",
            server_url=_without_version(server_url),
            client=self._client,
            timeout_ms=round(timeout_s * 1000),
        )

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """The model's answer. Raises: ModelTrouble."""
        self._require_key()
        try:
            with _sdk_errors():
                self._ask(request)
        except _Answered as answered:
            try:
                return read_answer(answered.body)
            except NotAnAnswer as error:
                raise ModelTrouble("model_bad_answer", str(error), is_permanent=False) from error
        raise ModelTrouble("model_bad_answer", "The answer of the model cannot be read.", is_permanent=False)

    def check(self, timeout_s: float) -> None:
        """The API answers and takes the key; no model is asked. Raises: ModelTrouble."""
        self._require_key()
        with _sdk_errors():
            self._sdk.models.list(timeout_ms=round(timeout_s * 1000))

    def close(self) -> None:
        self._client.close()

    def _require_key(self) -> None:
        if not self._has_key:
            raise ModelTrouble("model_unauthorized", "MISTRAL_API_KEY is not set.", is_permanent=True)

    def _ask(self, request: ModelRequest) -> None:
        # As the SDK's own types: from plain values it would make them by a slow walk through both.
        arguments: dict[str, Any] = {"messages": _MESSAGES.validate_python(request.messages), **request.options}
        if request.tools:
            arguments["tools"] = _TOOLS.validate_python(request.tools)
        if request.agent_id is not None:
            self._sdk.agents.complete(agent_id=request.agent_id, **arguments)
        else:
            self._sdk.chat.complete(model=request.model or "", **arguments)


class _Answered(Exception):
    """The model's answer has come; this is its body."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.body = body


def _take_answer(response: httpx2.Response) -> None:
    """Raises: _Answered for what could be an answer; errors are the SDK's to read."""
    if response.status_code == 200 and response.request.method == "POST":
        raise _Answered(response.read().decode("utf-8", "replace"))


@contextmanager
def _sdk_errors() -> Iterator[None]:
    """Raises: ModelTrouble for whatever the SDK raises."""
    try:
        yield
    except ResponseValidationError as error:
        # The SDK's types are stricter than the wire; what counts is whether a turn can be read.
        if error.status_code != 200:
            raise _trouble_of(error) from error
    except MistralError as error:
        raise _trouble_of(error) from error
    except httpx2.HTTPError as error:
        reason = f"Mistral could not be reached ({type(error).__name__})."
        raise ModelTrouble("model_unavailable", reason, is_permanent=False) from error
    except (ValueError, TypeError) as error:
        # The SDK refuses to send what does not fit its types; Mistral would answer 422.
        _log.info("request refused by the SDK", extra={"event": "model.refused"})
        reason = f"The request does not fit Mistral's chat API ({type(error).__name__})."
        raise ModelTrouble("model_refused", reason, is_permanent=True) from error


class _KeptModels:
    """Pydantic's ``create_model``, which gives the same model again for the same types."""

    def __init__(self, create: Callable[..., Any]) -> None:
        self._create = create
        self._models: dict[Any, Any] = {}

    def __call__(self, name: str, **definition: Any) -> Any:
        key = (name, definition.get("body"))
        try:
            known = self._models.get(key)
        except TypeError:
            # A type that cannot be a key is none that comes again and again.
            return self._create(name, **definition)
        if known is None or set(definition) != {"body", "__config__"}:
            known = self._models[key] = self._create(name, **definition)
        return known


def _keep_models_of_the_sdk() -> None:
    # The SDK (3.7) makes some models anew in every call, and asks for the types of its request's fields again: that
    # is most of its processor time. Without this everything works as well, only slower.
    hints = vars(queryparams)["get_type_hints"]
    if not hasattr(hints, "cache_info"):
        vars(queryparams)["get_type_hints"] = functools.cache(hints)
    create = vars(serializers)["create_model"]
    if not isinstance(create, _KeptModels):
        vars(serializers)["create_model"] = _KeptModels(create)


def _without_version(server_url: str | None) -> str | None:
    return server_url.rstrip("/").removesuffix("/v1") if server_url else None


def _trouble_of(error: MistralError) -> ModelTrouble:
    status, quoted = error.status_code, _quoted(error)
    reason = f"Mistral answered {status}."
    if status < 300:
        # A page of somebody in between, not JSON.
        return ModelTrouble("model_bad_answer", "The answer of the model cannot be read.", is_permanent=False)
    if status in {401, 403}:
        return ModelTrouble("model_unauthorized", reason, quoted=quoted, is_permanent=True)
    if status in _TRANSIENT_STATUSES or status >= 500:
        code, pause_s = "model_rate_limited" if status == 429 else "model_unavailable", _retry_after_s(error)
        return ModelTrouble(code, reason, quoted=quoted, is_permanent=False, retry_after_s=pause_s)
    return ModelTrouble("model_refused", reason, quoted=quoted, is_permanent=True)


def _quoted(error: MistralError) -> str:
    """The message of an error body in any of Mistral's shapes, shortened."""
    try:
        body = json.loads(error.body)
        words = body.get("message") or body.get("detail") or body
        text = words if isinstance(words, str) else json.dumps(words)
    except (ValueError, AttributeError, RecursionError):
        text = error.body or "no reason given"
    return storable(text[:MAX_REASON_LENGTH])


def _retry_after_s(error: MistralError) -> float | None:
    """Seconds, from either form of the header (RFC 9110, section 10.2.3)."""
    given = error.headers.get("retry-after", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, TypeError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
