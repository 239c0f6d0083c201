"""A tool that does nothing and asks nobody: ``COUNTERSIGN_TOOLS=benchmarks.instant_tool:registry``."""

from gateway.tools.registry import ToolRegistry

registry = ToolRegistry()

_PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}}}


@registry.tool(parameters=_PARAMETERS, description="Notes a text.", approval="auto")
def note(text: str) -> str:
    return f"Noted: {text}"
