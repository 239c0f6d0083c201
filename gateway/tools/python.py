"""Tools that run in this process: a ``BaseTool`` or a plain function."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.errors import GatewayError
from gateway.tools.base import HELD_UP, BaseTool, CallContext, Failed, Outcome, ToolDefinition
from gateway.tools.deadline import finish_within
from gateway.tools.definition import invalid, schema_text
from gateway.tools.results import ran, short


class PythonTool:
    """A callable with its definition. A fresh event loop runs each async call."""

    def __init__(self, definition: ToolDefinition, execute: Callable[..., Any]) -> None:
        """Raises: InvalidTool if the parameters of ``execute`` cannot be read."""
        self.definition = definition
        self._execute = execute
        self._signature = _signature(definition, execute)
        self._takes_context = _takes_context(definition, self._signature)

    def run(self, context: CallContext) -> Outcome:
        """Call the function with the approved arguments, parsed once; a time-out leaves the call in doubt."""
        return finish_within(self.definition.timeout_s, lambda: self._call(context))

    def _call(self, context: CallContext) -> Outcome:
        try:
            values = context.arguments()
        except GatewayError as error:
            return Failed(f"{error.message} The call did not run.")
        given = {"context": context} if self._takes_context else {}
        if given.keys() & values.keys():
            return Failed("The arguments do not fit the tool: it has no argument 'context'. The call did not run.")
        try:
            self._signature.bind(**values, **given)
        except TypeError as error:
            return Failed(f"The arguments do not fit the tool: {error}. The call did not run.")
        # The last moment: past it nothing holds the tool back.
        return HELD_UP if context.is_overdue() else _finished(self._execute, values | given)


def python_tool(tool: BaseTool) -> PythonTool:
    """``tool`` ready for the registry. Raises: InvalidTool if its parameters are not a schema."""
    definition = ToolDefinition(
        name=tool.name,
        kind="python",
        description=tool.description,
        schema_text=schema_text(tool.name, tool.parameters),
        target=f"{type(tool).__module__}.{type(tool).__qualname__}",
        title=tool.title,
        risk=tool.risk,
        approval=tool.approval,
        idempotent=tool.idempotent,
        timeout_s=tool.timeout_s,
        expires_after_s=tool.expires_after_s,
        run_within_s=tool.run_within_s,
        note_required=tool.note_required,
        secret=tool.secret,
    )
    return PythonTool(definition, tool.execute)


def _signature(definition: ToolDefinition, execute: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(execute)
    except (TypeError, ValueError) as error:  # not a function, or one written in C that does not tell
        raise invalid(definition.name, "execute", f"its parameters cannot be read: {error}") from error


def _takes_context(definition: ToolDefinition, signature: inspect.Signature) -> bool:
    """Whether ``execute`` names a parameter ``context`` that the schema does not claim for itself."""
    claimed = json.loads(definition.schema_text).get("properties", {})
    return "context" in signature.parameters and "context" not in claimed


def _finished(execute: Callable[..., Any], values: dict[str, Any]) -> Outcome:
    try:
        value = execute(**values)
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
    except BaseException as error:  # a tool's sys.exit() must not end more than its own call
        return Failed(short(str(error)) or type(error).__name__)
    return ran(value)


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
