"""``countersign tools check``"""

import typer

from gateway.cli.opening import begin, find_local_modules
from gateway.composition import open_tools
from gateway.settings import Settings
from gateway.tools.registry import ToolRegistry


def check_tools() -> int:
    """0 when the calls of every tool can run, else 1; prints one line per tool, and one per header without a value.

    Raises: InvalidSetting; InvalidTool naming file, tool and field.
    """
    tools = load_tools(begin())
    for definition in tools.definitions():
        gate = "asks" if definition.approval == "ask" else "runs without asking"
        typer.echo(f"{definition.name}: {definition.kind}, {definition.risk} risk, {gate}")
    missing = tools.missing_header_values()
    for sentence in missing:
        typer.echo(f"Error: {sentence}", err=True)
    return int(bool(missing))


def load_tools(settings: Settings) -> ToolRegistry:
    """The tools that the settings name. Raises: InvalidSetting, InvalidTool."""
    find_local_modules()
    return open_tools(settings)
