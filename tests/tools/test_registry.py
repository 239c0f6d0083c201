from typing import Any

import pytest

from gateway.errors import InvalidTool
from gateway.tools.base import BaseTool, CallContext, Failed, FunctionParameters, Ran, ToolDefinition
from gateway.tools.registry import ToolRegistry


class GuideTool(BaseTool):
    """Written as the domain guide shows it."""

    @property
    def name(self) -> str:
        return "greet"

    @property
    def description(self) -> str:
        return "Greet somebody"

    @property
    def parameters(self) -> FunctionParameters:
        return FunctionParameters(
            type="object",
            properties={"who": {"type": "string", "description": "Whom to greet"}},
            required=["who"],
        )

    async def execute(self, who: str) -> str:
        return f"Hello, {who}!"


class PlainTool(BaseTool):
    name = "plain"
    description = "Does nothing"
    parameters = FunctionParameters(properties={"order_id": {"type": "string"}})

    def execute(self, order_id: str = "") -> str:
        return order_id


def test_a_tool_of_the_guides_shape_runs(call: Any) -> None:
    registry = ToolRegistry()
    registry.register(GuideTool())
    tool = registry.get("greet")
    assert tool is not None
    assert tool.run(call('{"who": "Zoé"}')) == Ran("Hello, Zoé!")


def test_a_tools_definition_has_the_gates_defaults() -> None:
    registry = ToolRegistry()
    registry.register(GuideTool())
    (definition,) = registry.definitions()
    assert (definition.risk, definition.approval, definition.idempotent) == ("medium", "ask", False)
    assert (definition.timeout_s, definition.expires_after_s, definition.run_within_s) == (30.0, None, None)
    assert definition.target.endswith(".GuideTool")


def test_for_model_is_what_mistral_takes() -> None:
    registry = ToolRegistry()
    registry.register(GuideTool())
    assert registry.definitions()[0].for_model() == {
        "type": "function",
        "function": {
            "name": "greet",
            "description": "Greet somebody",
            "parameters": {
                "type": "object",
                "properties": {"who": {"type": "string", "description": "Whom to greet"}},
                "required": ["who"],
            },
        },
    }


def test_tools_keep_the_order_of_registration() -> None:
    registry = ToolRegistry()
    registry.register(PlainTool())
    registry.register(GuideTool())
    assert registry.names() == ["plain", "greet"]
    assert [tool.definition.name for tool in registry] == ["plain", "greet"]
    assert registry.get("absent") is None


def test_a_decorated_function_is_a_tool_and_stays_a_function(call: Any) -> None:
    registry = ToolRegistry()

    @registry.tool(
        parameters=FunctionParameters(properties={"a": {"type": "integer"}}), risk="high", title="Double {a}"
    )
    def double(a: int) -> int:
        """Double a number."""
        return 2 * a

    tool = registry.get("double")
    assert tool is not None
    assert tool.run(call('{"a": 21}')) == Ran("42")
    assert double(4) == 8
    assert (tool.definition.description, tool.definition.risk) == ("Double a number.", "high")
    assert tool.definition.target.endswith("double")


def test_a_plain_json_schema_will_do_for_a_decorated_function() -> None:
    registry = ToolRegistry()
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"default": None}}}
    registry.tool(name="refer", description="Refer", parameters=schema)(lambda a: a)
    assert registry.definitions()[0].for_model()["function"]["parameters"] == schema


def test_a_second_tool_of_the_same_name_is_refused() -> None:
    registry = ToolRegistry()
    registry.register(PlainTool())
    with pytest.raises(InvalidTool, match="'plain', field 'name': another tool") as refusal:
        registry.register(PlainTool())
    assert (refusal.value.facts["tool"], refusal.value.facts["field"]) == ("plain", "name")


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 65, "né", "a\n", 7])
def test_a_malformed_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidTool, match="field 'name'"):
        ToolRegistry().tool(name=name, description="Something", parameters={"properties": {}})(named_oddly)


def named_oddly() -> str:
    return ""


named_oddly.__name__ = "not a name"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", " "),
        ("title", "Cancel order {order_id"),
        ("title", "Cancel order {another}"),
        ("title", 7),
        ("risk", "extreme"),
        ("approval", "never"),
        ("idempotent", "yes"),
        ("note_required", 1),
        ("timeout_s", 0),
        ("timeout_s", True),
        ("timeout_s", float("inf")),
        ("timeout_s", float("nan")),
        ("timeout_s", "30"),
        ("expires_after_s", -1),
        ("run_within_s", 1e12),
    ],
)
def test_a_field_that_cannot_be_used_is_named(field: str, value: Any) -> None:
    tool = type("OddTool", (PlainTool,), {field: value})()
    registry = ToolRegistry()
    with pytest.raises(InvalidTool, match=f"Tool 'plain', field '{field}': ") as refusal:
        registry.register(tool)
    assert refusal.value.facts["field"] == field
    assert registry.names() == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "array", "properties": {}},
        {"properties": {"a": {"type": "strnig"}}},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"properties": {"a": {"default": float("nan")}}},
        {"properties": {"a": {"default": object()}}},
        "object",
        None,
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(parameters: Any) -> None:
    with pytest.raises(InvalidTool, match="Tool 'odd', field 'parameters': "):
        ToolRegistry().tool(name="odd", description="Something", parameters=parameters)(lambda: "")


def test_a_class_in_an_instances_place_is_refused() -> None:
    with pytest.raises(InvalidTool, match="register an instance"):
        ToolRegistry().register(PlainTool)  # type: ignore[arg-type]


def test_the_hash_depends_on_name_kind_target_and_schema_only() -> None:
    def definition(**changes: Any) -> ToolDefinition:
        given = {"name": "a", "kind": "http", "description": "d", "schema_text": "{}", "target": "POST http://x"}
        return ToolDefinition(**(given | changes))

    same = definition().sha256
    assert definition(description="other", title="t", risk="low", timeout_s=1.0, idempotent=True).sha256 == same
    changed = [{"name": "b"}, {"kind": "python"}, {"target": "PUT http://x"}, {"schema_text": '{"type":"object"}'}]
    assert len({same, *(definition(**change).sha256 for change in changed)}) == 5
    assert len(same) == 64


def test_http_client_is_shared_until_closed() -> None:
    registry = ToolRegistry()
    client = registry.http_client()
    assert registry.http_client() is client
    registry.close()
    assert client.is_closed
    registry.close()


def test_a_context_is_passed_to_an_execute_that_names_it(call: Any) -> None:
    registry = ToolRegistry()

    @registry.tool(parameters=FunctionParameters(properties={"a": {}}), description="Keys")
    def keys(a: float, context: CallContext) -> list[Any]:
        return [a, context.arguments_json, context.idempotency_key, context.attempt]

    tool = registry.get("keys")
    assert tool is not None
    assert tool.run(call('{"a":1,"context":"mine"}')) == Failed(
        "The arguments do not fit the tool: it has no argument 'context'. The call did not run."
    )
    assert tool.run(call('{"a":1.50}')) == Ran('[1.5,"{\\"a\\":1.50}","apr_1",1]')


def test_a_property_named_context_is_the_tools_own(call: Any) -> None:
    registry = ToolRegistry()

    @registry.tool(parameters=FunctionParameters(properties={"context": {"type": "string"}}), description="Echo")
    def echo(context: str) -> str:
        return context

    tool = registry.get("echo")
    assert tool is not None
    assert tool.run(call('{"context": "mine"}')) == Ran("mine")
