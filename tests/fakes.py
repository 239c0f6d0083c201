"""Stand-ins for the world outside: a tool that keeps what it was called with, a model that answers from a list,
and a database that is out of reach at times."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gateway.domain.turn import ModelAnswer, ModelRequest
from gateway.errors import DatabaseUnavailable
from gateway.store.session import Database, Session
from gateway.tools.base import CallContext, Outcome, Ran, ToolDefinition

ANY_OBJECT = {"type": "object", "properties": {}}


class RecordingTool:
    """A registered tool whose calls can be looked at; ``outcome`` is how each call ends."""

    def __init__(
        self,
        name: str = "send",
        *,
        schema: dict[str, Any] | None = None,
        outcome: Outcome | Callable[[CallContext], Outcome] = Ran("sent"),  # noqa: B008 (frozen)
        **gate: Any,
    ) -> None:
        self.outcome = outcome
        self.calls: list[CallContext] = []
        self.define(name=name, schema=schema or ANY_OBJECT, **gate)

    def define(self, *, name: str, schema: dict[str, Any], **gate: Any) -> None:
        """The tool has this definition from now on."""
        self.definition = ToolDefinition(
            name=name,
            kind="python",
            description=f"Does {name}.",
            schema_text=json.dumps(schema, separators=(",", ":")),
            target=f"tests.{name}",
            **gate,
        )

    @property
    def received(self) -> list[str]:
        """The exact arguments of every call, in order."""
        return [call.arguments_json for call in self.calls]

    def run(self, context: CallContext) -> Outcome:
        self.calls.append(context)
        return self.outcome(context) if callable(self.outcome) else self.outcome


class ScriptedModel:
    """Gives these answers one after the other; an exception among them is raised."""

    def __init__(self, answers: Iterable[ModelAnswer | Exception] = ()) -> None:
        self.answers = list(answers)
        self.requests: list[ModelRequest] = []

    def complete(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class AwayDatabase(Database):
    """A database that can be put out of reach, for those who write."""

    is_away = False

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self.is_away:
            raise DatabaseUnavailable
        with super().write() as session:
            yield session
