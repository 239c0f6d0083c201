"""The gateway's tools, put together from the three places where they can be given."""

import importlib
import re
from pathlib import Path
from typing import Final

from gateway.errors import InvalidTool
from gateway.tools.builtin import create_default_registry
from gateway.tools.registry import ToolRegistry
from gateway.tools.tools_file import load_tools_file

_TARGET: Final = re.compile(r"\w+(\.\w+)*:\w+")


def load_registry(tools_file: Path | None, python_target: str | None) -> ToolRegistry:
    """A registry with the built-in tools, then those of ``package.module:registry``, then those of the file.

    A built-in tool gives way to one of the same name from Python, so a target may start from
    ``create_default_registry()``. Raises: InvalidTool.
    """
    own = list(_imported(python_target)) if python_target else []
    taken = {tool.definition.name for tool in own}
    registry = ToolRegistry()
    for tool in create_default_registry():
        if tool.definition.name not in taken:
            registry.register(tool)
    for tool in own:
        registry.register(tool)
    if tools_file is not None:
        load_tools_file(tools_file, registry)
    return registry


def _imported(target: str) -> ToolRegistry:
    if not _TARGET.fullmatch(target):
        raise InvalidTool(f"{target!r} does not have the form package.module:registry.", target=target)
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except InvalidTool:
        raise
    except Exception as error:  # a module may raise anything while it is imported
        message = f"{target}: the module cannot be imported: {type(error).__name__}: {error}"
        raise InvalidTool(message, target=target) from error
    registry = getattr(module, attribute, None)
    if not isinstance(registry, ToolRegistry):
        raise InvalidTool(f"{target}: {module_name} has no ToolRegistry of the name {attribute}.", target=target)
    return registry
