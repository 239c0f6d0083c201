"""Scripts: what the scripted model says, read from a TOML file.

A script is a list of conversations. The first one whose ``when`` is contained in
the request's last user message (upper and lower case alike) answers; an empty
``when`` fits every message. Its ``turns`` answer one after the other: the turn is
chosen by how many assistant messages follow that user message, so that a repeated
request gets the same answer, also from a restarted server::

    models = ["mistral-small-latest"]     # optional: other models are refused
    default_answer = "I have no answer to that."
    sample_prompts = ["Refund order ord_1042"]

    [[conversations]]
    when = "refund order"

    [[conversations.turns]]
    content = "The kettle arrived broken."
    [[conversations.turns.tool_calls]]
    name = "issue_refund"
    arguments = '{"order_id": "ord_1042", "amount": 249.00}'

    [[conversations.turns]]
    if_result_contains = "rejected"
    content = "I could not refund the order: {reason:1}"

    [[conversations.turns]]
    content = "I refunded {result:1.amount} EUR."

Several turns can stand for one step: a turn with ``if_result_contains`` or ``times``
and the turns behind it, up to the first without either, are alternatives; the
first one that applies answers. Where none applies, the default answer is given.

A turn takes:

- ``content``: words, or Mistral content chunks. ``{result:1}`` is the result of
  the previous turn's first call, ``{result:1.amount}`` a member of it when it is
  JSON (or ends with a line of JSON), ``{reason:1}`` what follows its first colon.
- ``tool_calls``: ``name``, ``arguments`` (text is sent byte for byte and need not be
  JSON; a table is sent as compact JSON), ``id`` (made up if absent),
  ``arguments_as_object`` (send the table as an object instead of text).
- ``finish_reason``: ``tool_calls`` or ``stop`` if absent.
- ``fragments``: true streams each call in many chunks, as devstral does.
- ``delay_s``: seconds before the answer begins.
- ``status``, ``body``, ``headers``: an error answer instead; without ``body``
  Mistral's own one for that status.
- ``cut``: true closes the connection in mid-answer; ``"between_events"`` ends a
  stream properly, but before its finish reason.
- ``times``: with ``status`` or ``cut``, how often this happens before the next
  alternative answers. Absent: every time.
- ``if_result_contains``: a text that one of the previous turn's results contains,
  or a table from call number to text (all must hold); case does not matter.
- ``repeat``: true on the last step gives it again and again.
"""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from gateway.errors import InvalidSetting

DEMO_SCRIPT = Path(__file__).with_name("conversations.toml")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScriptedCall(_Part):
    """One tool call of a turn; neither the name nor the arguments need be right."""

    name: str
    arguments: str | dict[str, JsonValue] = "{}"
    id: str | None = None
    arguments_as_object: bool = False

    @property
    def wire_arguments(self) -> str | dict[str, JsonValue]:
        """The arguments as the answer carries them: text, or an object where the script asks for one."""
        if isinstance(self.arguments, str) or self.arguments_as_object:
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False, separators=(",", ":"))


class Turn(_Part):
    """One answer of the model, good or bad."""

    content: str | list[dict[str, JsonValue]] = ""
    tool_calls: Sequence[ScriptedCall] = ()
    finish_reason: str | None = None
    fragments: bool = False
    delay_s: Annotated[float, Field(ge=0)] = 0.0
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: JsonValue = None
    headers: dict[str, str] = {}
    cut: bool | Literal["between_events"] = False
    times: Annotated[int, Field(ge=1)] | None = None
    if_result_contains: str | dict[int, str] | None = None
    repeat: bool = False

    @property
    def is_last_alternative(self) -> bool:
        """True: nothing behind this turn belongs to the same step."""
        return self.if_result_contains is None and self.times is None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.times is not None and self.status is None and not self.cut:
            raise ValueError("times needs status or cut: a good answer moves the conversation on by itself")
        if self.status is None and (self.body is not None or self.headers):
            raise ValueError("body and headers need status")
        if self.fragments and any(call.arguments_as_object for call in self.tool_calls):
            raise ValueError("fragments cannot go with arguments_as_object: only text comes in pieces")
        return self


class Conversation(_Part):
    """What is said to one prompt."""

    when: str = ""
    turns: Sequence[Turn]

    @property
    def steps(self) -> list[list[Turn]]:
        """The turns, grouped: each step holds the alternatives for one answer."""
        steps: list[list[Turn]] = [[]]
        for turn in self.turns:
            steps[-1].append(turn)
            if turn.is_last_alternative:
                steps.append([])
        return [step for step in steps if step]

    @model_validator(mode="after")
    def _every_step_is_reached(self) -> Self:
        if any(turn.repeat for step in self.steps[:-1] for turn in step):
            raise ValueError("repeat belongs to the last step: what follows it would never be said")
        return self


class Script(_Part):
    """Everything that a scripted model can say."""

    conversations: Sequence[Conversation] = ()
    models: Sequence[str] = ()
    default_answer: str = "I am a scripted model and have no answer prepared for this. Please try another request."
    sample_prompts: Sequence[str] = ()

    @property
    def tool_names(self) -> set[str]:
        """Every tool that some turn calls."""
        turns = [turn for conversation in self.conversations for turn in conversation.turns]
        return {call.name for turn in turns for call in turn.tool_calls}


def read_script(path: Path) -> Script:
    """The script in this TOML file.

    Raises:
        InvalidSetting: the file cannot be read, or does not have the form that the module describes.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"The script {path} cannot be read: {error}") from error
    return _script(content, path)


def demo_script() -> Script:
    """The conversations of the demo shop."""
    return read_script(DEMO_SCRIPT)


def _script(content: dict[str, Any], path: Path) -> Script:
    try:
        return Script.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidSetting(f"The script {path} is wrong at {place or 'the top'}: {first['msg']}") from error
