"""Mistral's chat API, answered from a script: a real HTTP server that asks no model.

It speaks ``POST /v1/chat/completions`` and ``POST /v1/agents/completions``, plain
and streamed, and ``GET /v1/models``; what the real API refuses, it refuses with the
same bodies (``gateway.demo.validation``). What it says is in ``gateway.demo.script``.

``GET /_requests`` lists the last bodies it was sent, for tests; the real API has
no such route.
"""

import asyncio
import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo import answers, playback, refusals
from gateway.demo.answers import Answer
from gateway.demo.responses import json_response, response
from gateway.demo.script import Script, Turn, demo_script, read_script
from gateway.demo.validation import STRICT, Rules, request_checker
from gateway.errors import InvalidSetting

MAX_KEPT_REQUESTS = 1_000
DEFAULT_MODELS = ("mistral-small-latest", "mistral-medium-latest", "mistral-large-latest")

_STOP_TIMEOUT_S = 10.0


def create_app(
    script: Script, *, validate: bool = True, api_key: str | None = None, rules: Rules = STRICT
) -> Starlette:
    """The scripted API as an ASGI app; ``app.state.requests`` holds the bodies received, oldest first.

    With ``api_key`` only this bearer token is let in, else any. ``validate=False``
    takes every body that has a list of messages.

    Raises:
        InvalidSetting: ``validate`` without mistral-common installed.
    """
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", _completions(for_agent=False), methods=["POST"]),
            Route("/v1/agents/completions", _completions(for_agent=True), methods=["POST"]),
            Route("/v1/models", _models),
            Route("/_requests", _requests),
        ],
        exception_handlers={refusals.Refusal: _refused, HTTPException: _not_served},
    )
    app.state.script = script
    app.state.check = request_checker(rules) if validate else None
    app.state.api_key = api_key
    app.state.requests = []
    app.state.failures = Counter()
    return app


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A scripted model that serves in a thread."""

    #: Without ``/v1``, as Mistral's SDK takes it.
    url: str
    #: The bodies received so far, oldest first.
    requests: list[dict[str, Any]]


@contextmanager
def running(
    script: Script,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    validate: bool = True,
    api_key: str | None = None,
    rules: Rules = STRICT,
) -> Iterator[RunningModel]:
    """A scripted model served by a thread of this process until the block ends; port 0 takes a free one."""
    app = create_app(script, validate=validate, api_key=api_key, rules=rules)
    listener = _listener(host, port)
    server = uvicorn.Server(_config(app, log_level="critical"))
    # Daemon: an answer that is still delayed must not hold up the end of the process.
    thread = threading.Thread(target=server.run, args=([listener],), name="scripted-model", daemon=True)
    thread.start()
    try:
        yield RunningModel(url=_address(listener), requests=app.state.requests)
    finally:
        server.should_exit = True
        thread.join(_STOP_TIMEOUT_S)
        listener.close()


def serve(script_path: Path | None, host: str, port: int, validate: bool) -> None:
    """Serve this script, or the demo's own, until the process is told to end; says the address once it listens.

    Raises:
        InvalidSetting: the script or the address cannot be used, or mistral-common is missing.
    """
    script = read_script(script_path) if script_path else demo_script()
    app = create_app(script, validate=validate)
    listener = _listener(host, port)
    typer.echo(f"Scripted Mistral API at {_address(listener)} ({len(script.conversations)} conversations)")
    uvicorn.Server(_config(app, log_level="warning")).run(sockets=[listener])


def _completions(*, for_agent: bool) -> Callable[[Request], Awaitable[Response]]:
    async def complete(request: Request) -> Response:
        state = request.app.state
        _check_key(request, state.api_key)
        body = _parsed(await request.body())
        state.requests.append(body)
        del state.requests[:-MAX_KEPT_REQUESTS]
        if state.check is not None:
            state.check(body, for_agent)
        model = _model(body, state.script)
        messages = _messages(body)
        cue = playback.cue(state.script, messages)
        key = hashlib.sha256(answers.encode(messages)).hexdigest()
        turn = playback.choose(cue, state.failures, key) or Turn(content=state.script.default_answer)
        await asyncio.sleep(turn.delay_s)
        answer = Answer(
            id=key[:32],
            model=model,
            content=playback.words(turn, cue.results),
            tool_calls=playback.calls(turn, cue),
            finish_reason=turn.finish_reason or ("tool_calls" if turn.tool_calls else "stop"),
            prompt_tokens=answers.estimated_tokens([messages, body.get("tools")]),
            fragments=turn.fragments,
        )
        return response(turn, answer, is_streamed=body.get("stream") is True)

    return complete


async def _models(request: Request) -> Response:
    _check_key(request, request.app.state.api_key)
    names = request.app.state.script.models or DEFAULT_MODELS
    cards: list[dict[str, Any]] = [
        {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": "mistralai",
            "capabilities": {"completion_chat": True, "function_calling": True},
            "name": name,
            "description": "A scripted model.",
            "max_context_length": 131_072,
            "aliases": [],
            "type": "base",
        }
        for name in names
    ]
    return json_response({"object": "list", "data": cards})


async def _requests(request: Request) -> Response:
    return json_response(request.app.state.requests)


def _check_key(request: Request, api_key: str | None) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or (api_key is not None and token != api_key):
        raise refusals.wrong_key()


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise refusals.invalid_body([_problem("json_invalid", "JSON decode error", str(error))]) from error
    if not isinstance(body, dict):
        raise refusals.invalid_body([_problem("model_attributes_type", "Input should be a valid dictionary", body)])
    return body


def _problem(kind: str, message: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "loc": ["body"], "msg": message, "input": value}


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages, also of a body that nobody has checked."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise refusals.invalid_body([_problem("list_type", "Input should be a valid list of messages", messages)])
    return messages


def _model(body: dict[str, Any], script: Script) -> str:
    name = str(body.get("model") or body.get("agent_id"))
    if "model" in body and script.models and name not in script.models:
        raise refusals.invalid_model(name)
    return name


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, refusals.Refusal):
        raise error
    return json_response(error.body, status=error.status)


async def _not_served(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return json_response({"detail": error.detail}, status=error.status_code, headers=error.headers)


def _listener(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; they wait until the server answers them."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise InvalidSetting(f"The scripted model cannot listen at {host}:{port}: {error.strerror}") from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def _config(app: Starlette, *, log_level: str) -> uvicorn.Config:
    # Without a limit one open stream would keep the server from ending.
    return uvicorn.Config(app, log_level=log_level, ws="none", lifespan="off", timeout_graceful_shutdown=1)
