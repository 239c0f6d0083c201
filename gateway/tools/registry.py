"""The tools of one gateway, by name."""

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar, Unpack

import httpx2

from gateway.tools.base import BaseTool, FunctionParameters, Gate, Tool, ToolDefinition
from gateway.tools.definition import check_definition, invalid, schema_text
from gateway.tools.http import HttpTool, new_client
from gateway.tools.python import PythonTool, python_tool

Function = TypeVar("Function", bound=Callable[..., Any])


class ToolRegistry:
    """Tools in the order in which they were registered; iterating gives the tools.

    Its HTTP tools share one client, opened by the first call and closed by ``close``.
    """

    def __init__(self) -> None:
        self._tools: Final[dict[str, Tool]] = {}
        self._client: httpx2.Client | None = None
        self._client_lock = threading.Lock()

    def register(self, tool: BaseTool | Tool) -> None:
        """Take ``tool``. Raises: InvalidTool naming the tool and the field if it is malformed or its name is taken."""
        if isinstance(tool, type):
            raise invalid(tool.__name__, "tool", "register an instance, not the class")
        registered = python_tool(tool) if isinstance(tool, BaseTool) else tool
        definition = registered.definition
        check_definition(definition)
        if definition.name in self._tools:
            raise invalid(definition.name, "name", "another tool of this name is registered")
        self._tools[definition.name] = registered

    def tool(
        self,
        *,
        parameters: FunctionParameters | Mapping[str, Any],
        name: str | None = None,
        description: str | None = None,
        **gate: Unpack[Gate],
    ) -> Callable[[Function], Function]:
        """Register the decorated function and leave it as it is.

        The name defaults to the function's, the description to its docstring. Raises: InvalidTool like ``register``.
        """

        def decorate(function: Function) -> Function:
            tool_name = name or function.__name__
            definition = ToolDefinition(
                name=tool_name,
                kind="python",
                description=description or inspect.getdoc(function) or "",
                schema_text=schema_text(tool_name, parameters),
                target=f"{function.__module__}.{function.__qualname__}",
                **gate,
            )
            self.register(PythonTool(definition, function))
            return function

        return decorate

    def get(self, name: str) -> Tool | None:
        """The tool of this name, or None."""
        return self._tools.get(name)

    def names(self) -> list[str]:
        """Every name, in registration order."""
        return list(self._tools)

    def definitions(self) -> list[ToolDefinition]:
        """Every definition, in registration order."""
        return [tool.definition for tool in self]

    def missing_header_values(self) -> list[str]:
        """One sentence for each header that has no value now; it names the tool, the header and the place."""
        return [
            f"Tool {tool.definition.name!r}: {sentence}"
            for tool in self
            if isinstance(tool, HttpTool)
            for sentence in tool.missing_header_values()
        ]

    def __iter__(self) -> Iterator[Tool]:
        return iter(list(self._tools.values()))

    def http_client(self) -> httpx2.Client:
        """The client that this registry's HTTP tools share."""
        with self._client_lock:
            if self._client is None or self._client.is_closed:
                self._client = new_client()
            return self._client

    def close(self) -> None:
        """The shared HTTP client is closed."""
        with self._client_lock:
            if self._client is not None:
                self._client.close()
