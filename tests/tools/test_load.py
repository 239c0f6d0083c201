from pathlib import Path

import pytest

from gateway.errors import InvalidTool
from gateway.tools.load import load_registry

OWN_TOOLS = '''
from gateway.tools.base import FunctionParameters
from gateway.tools.builtin import create_default_registry
from gateway.tools.registry import ToolRegistry

registry = create_default_registry()
other = ToolRegistry()
text = "not a registry"

@registry.tool(parameters=FunctionParameters(properties={}))
def restart_till():
    """Restart the till."""
    return "done"

@other.tool(name="calculator", parameters=FunctionParameters(properties={}))
def own_calculator():
    """Calculate in another way."""
    return "42"
'''

FILE = """
[[tool]]
name = "restart_printer"
kind = "http"
url = "http://127.0.0.1:9100/"
description = "Restart the printer"
parameters = { type = "object", properties = {} }
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a module with tools that can be imported in this test."""
    name = f"own_tools_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(OWN_TOOLS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_without_anything_there_are_the_built_in_tools() -> None:
    assert load_registry(None, None).names() == ["calculator", "get_current_time"]


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTool, match="the file cannot be read"):
        load_registry(tmp_path / "tools.toml", None)


def test_python_and_file_are_combined(module: str, tmp_path: Path) -> None:
    (tmp_path / "tools.toml").write_text(FILE)
    registry = load_registry(tmp_path / "tools.toml", f"{module}:registry")
    assert sorted(registry.names()) == ["calculator", "get_current_time", "restart_printer", "restart_till"]


def test_loading_twice_gives_the_same_tools(module: str) -> None:
    first = load_registry(None, f"{module}:registry")
    assert load_registry(None, f"{module}:registry").definitions() == first.definitions()


def test_an_own_tool_takes_the_place_of_a_built_in_one(module: str) -> None:
    tool = load_registry(None, f"{module}:other").get("calculator")
    assert tool is not None
    assert tool.definition.description == "Calculate in another way."


def test_a_file_may_not_take_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "tools.toml").write_text(FILE.replace("restart_printer", "calculator"))
    with pytest.raises(InvalidTool, match=r"tools\.toml: Tool 'calculator', field 'name': another tool"):
        load_registry(tmp_path / "tools.toml", None)


@pytest.mark.parametrize("attribute", ["text", "absent"])
def test_an_attribute_that_is_no_registry_is_named(attribute: str, module: str) -> None:
    with pytest.raises(InvalidTool, match=f"{module} has no ToolRegistry of the name {attribute}"):
        load_registry(None, f"{module}:{attribute}")


@pytest.mark.parametrize(
    "target", ["tools", "tools:", ":registry", "a b:c", "tools.registry", "a:b:c", ".rel:registry"]
)
def test_a_target_of_another_form_is_refused(target: str) -> None:
    with pytest.raises(InvalidTool, match=r"package\.module:registry"):
        load_registry(None, target)


def test_a_module_that_does_not_exist_is_named() -> None:
    with pytest.raises(InvalidTool, match="cannot be imported: ModuleNotFoundError"):
        load_registry(None, "countersign_absent.tools:registry")


def test_a_module_that_fails_while_imported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_tools.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidTool, match="broken_tools:registry: the module cannot be imported: ZeroDivisionError"):
        load_registry(None, "broken_tools:registry")
