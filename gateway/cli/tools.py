"""``countersign tools check``"""

import typer

from gateway.cli.opening import begin, find_local_modules
from gateway.settings import Settings
from gateway.tools.load import load_registry
from gateway.tools.registry import ToolRegistry


def check_tools() -> None:
    """Prints one line per tool when all can be used. Raises: InvalidTool naming file, tool and field."""
    for definition in load_tools(begin()).definitions():
        gate = "asks" if definition.approval == "ask" else "runs without asking"
        typer.echo(f"{definition.name}: {definition.kind}, {definition.risk} risk, {gate}")


def load_tools(settings: Settings) -> ToolRegistry:
    """The tools that the settings name. Raises: InvalidTool."""
    find_local_modules()
    return load_registry(settings.tools_file, settings.tools)
