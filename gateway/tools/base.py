"""The words of a tool: what people write, what the registry keeps, what a run ends with."""

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypedDict

from pydantic import BaseModel, ConfigDict

from gateway.domain import json_text

Risk = Literal["low", "medium", "high", "critical"]
ApprovalMode = Literal["ask", "auto"]
ToolKind = Literal["python", "http"]

#: The operator's limits were held when the call was taken in; here only the strict reading counts.
_NO_LIMITS: Final = json_text.Limits(max_bytes=2**30, max_string_bytes=2**30, max_depth=256, max_keys=2**30)


class Gate(TypedDict, total=False):
    """How a tool's calls are gated; the defaults are those of ``ToolDefinition``."""

    title: str | None
    risk: Risk
    approval: ApprovalMode
    idempotent: bool
    timeout_s: float
    expires_after_s: float | None
    run_within_s: float | None
    note_required: bool
    secret: Sequence[str]


class FunctionParameters(BaseModel):
    """The JSON Schema of a tool's arguments: always an object; further keywords are kept as given."""

    model_config = ConfigDict(extra="allow")

    type: Literal["object"] = "object"
    properties: dict[str, Any] = {}
    required: list[str] = []
    additionalProperties: bool | dict[str, Any] | None = None

    def as_schema(self) -> dict[str, Any]:
        """The schema as the model and the validator get it: empty and unset keywords are left out."""
        schema: dict[str, Any] = {"type": self.type, "properties": self.properties}
        if self.required:
            schema["required"] = self.required
        if self.additionalProperties is not None:
            schema["additionalProperties"] = self.additionalProperties
        return schema | (self.model_extra or {})


class BaseTool(ABC):
    """A tool that runs in this process.

    A subclass gives ``name``, ``description`` and ``parameters`` (class
    attributes or properties) and ``execute``, plain or async. ``execute`` gets
    the arguments by keyword and returns text, which reaches the model as it is,
    or a JSON value. What it raises becomes the tool's error result.

    An ``execute`` with a parameter ``context`` that is not one of the tool's own
    properties is given the ``CallContext`` there.
    """

    #: What the reviewer reads first, with ``{argument}`` places, e.g. "Cancel order {order_id}".
    title: str | None = None
    risk: Risk = "medium"
    #: ``ask``: a person decides each call; ``auto``: it runs without a person.
    approval: ApprovalMode = "ask"
    #: True: a call whose outcome is in doubt may be repeated with the same key.
    idempotent: bool = False
    timeout_s: float = 30.0
    #: Seconds in which a decision is possible; None: the gateway's own limit.
    expires_after_s: float | None = None
    #: Seconds from the decision in which the call may still start; None: no limit.
    run_within_s: float | None = None
    #: True: a decision needs a note that says why.
    note_required: bool = False
    #: JSON Pointers (RFC 6901) into the arguments: what stands there is masked wherever a call is shown.
    secret: Sequence[str] = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """1 to 64 of ``A-Z a-z 0-9 _ -``, unique in the registry."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the tool does, for the model and for the reviewer."""

    @property
    @abstractmethod
    def parameters(self) -> FunctionParameters:
        """The JSON Schema of the arguments."""

    @abstractmethod
    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Do the call. The wide signature lets a subclass name its own arguments; they come by keyword."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """One attempt at one approved call."""

    #: The approved text, character for character.
    arguments_json: str
    approval_id: str
    job_id: str | None
    #: The approval's id: the same for every attempt.
    idempotency_key: str
    #: Counts from 1.
    attempt: int
    #: The call may be sent until this time of ``clock_s``; None: without limit.
    start_by_s: float | None = None

    def arguments(self) -> dict[str, Any]:
        """The approved arguments as Python values. Raises: InvalidJson if the text is not a strict JSON object."""
        return dict(json_text.require_object(self.arguments_json, _NO_LIMITS))

    def is_overdue(self) -> bool:
        """True when the call must not be sent any more."""
        return self.start_by_s is not None and clock_s() > self.start_by_s


def clock_s() -> float:
    """Seconds that go on while this process, or its machine, is held up; they mean nothing elsewhere."""
    # Linux stops CLOCK_MONOTONIC while the machine sleeps.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class Ran:
    """The tool ran; ``result`` is what the model is told."""

    result: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The tool did not run, or ran and reported an error; ``error`` is a sentence without the word "Error"."""

    error: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The call may have happened, or may still happen: only a person, or the tool's own records, can tell."""

    reason: str


Outcome = Ran | Failed | InDoubt

#: A worker that was frozen past its lease may find its call in doubt, or settled by a person, when it goes on.
HELD_UP: Final = Failed("the worker was held up before the call was sent; it did not run")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """What a tool is and how its calls are gated; never holds a secret."""

    name: str
    kind: ToolKind
    description: str
    #: Compact JSON of the arguments' JSON Schema.
    schema_text: str
    #: ``python``: module and qualified name; ``http``: method, address and the form of the body.
    target: str
    title: str | None = None
    risk: Risk = "medium"
    approval: ApprovalMode = "ask"
    idempotent: bool = False
    timeout_s: float = 30.0
    expires_after_s: float | None = None
    run_within_s: float | None = None
    note_required: bool = False
    secret: Sequence[str] = ()  #: pointers into the arguments whose values are masked
    #: Hex digest of what an approval depends on: name, kind, target and schema, not the description.
    sha256: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        parts = json.dumps([self.name, self.kind, self.target, self.schema_text], ensure_ascii=False)
        # Once: it is asked for with every call.
        object.__setattr__(self, "sha256", hashlib.sha256(parts.encode()).hexdigest())

    def for_model(self) -> dict[str, Any]:
        """The tool as Mistral's chat API takes it. Source: https://docs.mistral.ai/capabilities/function_calling"""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": json.loads(self.schema_text),
            },
        }


class Tool(Protocol):
    """A registered tool: its definition and one way to run it."""

    @property
    def definition(self) -> ToolDefinition:
        """What it is and how its calls are gated."""
        ...

    def run(self, context: CallContext) -> Outcome:
        """Do the call and say how it ended. Never raises for tool trouble.

        Limited in time: ``timeout_s``, over HTTP up to 10 s more for connecting; an idempotent HTTP tool may take
        three such attempts.
        """
        ...
