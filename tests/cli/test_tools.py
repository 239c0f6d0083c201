"""``countersign tools check``"""

import pytest

from tests.cli.commands import Commands

TOOL = """
[[tool]]
name = "refund"
kind = "http"
url = "http://127.0.0.1:9/refund"
description = "Pays back."
risk = "{risk}"
parameters = {{ type = "object", properties = {{}} }}
"""
HEADERS = """headers = { Authorization = "env:SHOP_TOKEN", X-Key = "file:keys/shop" }
"""
PYTHON_TOOLS = """
from gateway.tools.registry import ToolRegistry
registry = ToolRegistry()

@registry.tool(parameters={"type": "object", "properties": {}}, approval="auto")
def stock() -> str:
    "Says what is in stock."
    return "all"
"""


def test_every_tool_is_listed(empty: Commands):
    (empty.folder / "tools.toml").write_text(TOOL.format(risk="high"))
    (empty.folder / "mytools.py").write_text(PYTHON_TOOLS)

    lines = empty.done("tools", "check", COUNTERSIGN_TOOLS="mytools:registry").splitlines()

    assert "refund: http, high risk, asks" in lines
    assert "stock: python, medium risk, runs without asking" in lines
    assert any(line.startswith("calculator: ") for line in lines)


def test_wrong_field_is_named(quick_empty: Commands):
    (quick_empty.folder / "tools.toml").write_text(TOOL.format(risk="scary"))

    code, said = quick_empty.refused("tools", "check")

    assert code == 2
    assert said.startswith("tools.toml: Tool 'refund', field 'risk': ")


def test_missing_module_is_named(quick_empty: Commands):
    code, said = quick_empty.refused("tools", "check", COUNTERSIGN_TOOLS="nowhere:registry")

    assert code == 2
    assert said.startswith("nowhere:registry: the module cannot be imported")


def test_header_without_a_value_is_named_with_its_tool_and_place(quick_empty: Commands):
    (quick_empty.folder / "tools.toml").write_text(TOOL.format(risk="high") + HEADERS)

    result = quick_empty.run("tools", "check")

    assert result.returncode == 1
    assert "refund: http, high risk, asks" in result.stdout
    assert result.stderr.splitlines() == [
        "Error: Tool 'refund': The header Authorization needs the environment variable SHOP_TOKEN, which is not set.",
        f"Error: Tool 'refund': The header X-Key needs the file {quick_empty.folder}/keys/shop, which cannot be read.",
    ]


def test_headers_with_values_pass_and_the_values_are_not_shown(quick_empty: Commands):
    (quick_empty.folder / "tools.toml").write_text(TOOL.format(risk="high") + HEADERS)
    (quick_empty.folder / "keys").mkdir()
    (quick_empty.folder / "keys/shop").write_text("s3cret")

    result = quick_empty.run("tools", "check", SHOP_TOKEN="s3cret")

    assert (result.returncode, result.stderr) == (0, "")
    assert "s3cret" not in result.stdout


@pytest.mark.parametrize("command", ["tools check", "serve --port 0", "worker"])
@pytest.mark.parametrize("place", ["environment", ".env"])
@pytest.mark.parametrize("name", ["mine.toml", "tools.toml"])
def test_missing_file_that_was_named_is_refused(quick_empty: Commands, command: str, place: str, name: str):
    given = {"COUNTERSIGN_TOOLS_FILE": name} if place == "environment" else {}
    if place == ".env":
        (quick_empty.folder / ".env").write_text(f"COUNTERSIGN_TOOLS_FILE={name}\n")

    code, said = quick_empty.refused(*command.split(), **given)

    assert (code, said) == (2, f"COUNTERSIGN_TOOLS_FILE: {name} does not exist.")


def test_file_that_nobody_named_may_be_missing(quick_empty: Commands):
    assert quick_empty.done("tools", "check", COUNTERSIGN_TOOLS_FILE="").startswith("calculator: ")
