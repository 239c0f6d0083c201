import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidTool
from gateway.tools.base import Ran
from gateway.tools.registry import ToolRegistry
from gateway.tools.tools_file import load_tools_file

GOOD = """
[[tool]]
name = "cancel_pending_order"
kind = "http"
url = "http://127.0.0.1:9100/tools/cancel_pending_order"
description = "Cancel a pending order"
"""
INLINE = """
[tool.parameters]
type = "object"
required = ["order_id"]
properties.order_id = { type = "string" }
"""

Load = Callable[[str], ToolRegistry]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Writes the text as a tools file and loads it."""
    registry = ToolRegistry()

    def load(text: str) -> ToolRegistry:
        path = tmp_path / "tools.toml"
        path.write_text(text, encoding="utf-8")
        load_tools_file(path, registry)
        return registry

    yield load
    registry.close()


def test_defaults_of_a_minimal_tool(load: Load) -> None:
    (definition,) = load(GOOD + INLINE).definitions()
    assert definition.kind == "http"
    assert definition.target == "POST http://127.0.0.1:9100/tools/cancel_pending_order (envelope)"
    assert definition.schema_text == (
        '{"type":"object","properties":{"order_id":{"type":"string"}},"required":["order_id"]}'
    )
    assert (definition.risk, definition.approval, definition.idempotent) == ("medium", "ask", False)
    assert (definition.timeout_s, definition.expires_after_s, definition.run_within_s) == (30.0, None, None)
    assert (definition.title, definition.note_required) == (None, False)


def test_every_field_is_taken(load: Load, tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "cancel.json").write_text('{"type": "object", "properties": {"order_id": {}}}')
    fields = """
        method = "DELETE"
        payload = "arguments"
        headers = { Authorization = "env:SHOP_TOKEN" }
        parameters_file = "schemas/cancel.json"
        title = "Cancel order {order_id}"
        risk = "high"
        approval = "auto"
        idempotent = true
        timeout_s = 12
        expires_after_s = 86400
        run_within_s = 60.5
        note_required = true
    """
    (definition,) = load(GOOD + fields).definitions()
    assert definition.target == "DELETE http://127.0.0.1:9100/tools/cancel_pending_order (arguments)"
    assert definition.schema_text == '{"type":"object","properties":{"order_id":{}}}'
    assert (definition.title, definition.risk, definition.approval) == ("Cancel order {order_id}", "high", "auto")
    assert (definition.idempotent, definition.note_required) == (True, True)
    assert (definition.timeout_s, definition.expires_after_s, definition.run_within_s) == (12, 86400, 60.5)


def test_a_loaded_tool_calls_its_server_with_a_header_from_a_file_beside_it(
    server: Any, call: Any, load: Load, tmp_path: Path
) -> None:
    server.answer(200, b"cancelled")
    (tmp_path / "token").write_text("of-the-shop\n")
    text = GOOD.replace("http://127.0.0.1:9100/tools/cancel_pending_order", server.url)
    tool = load(text + 'headers = { X-Token = "file:token" }' + INLINE).get("cancel_pending_order")
    assert tool is not None
    assert tool.run(call('{"order_id": "#W1"}')) == Ran("cancelled")
    assert server.received[0].headers["X-Token"] == "of-the-shop"
    assert b'"arguments":{"order_id": "#W1"}' in server.received[0].body


def test_tools_keep_the_order_of_the_file(load: Load) -> None:
    second = GOOD.replace("cancel_pending_order", "another")
    assert load(GOOD + INLINE + second + INLINE).names() == ["cancel_pending_order", "another"]


def test_an_empty_file_has_no_tools(load: Load) -> None:
    assert load("# none yet\n").names() == []


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("colour", 'colour = "red"'),
        ("retries", "retries = 0"),
        ("secret", 'secret = "/card_number"'),
        ("secret", 'secret = ["card_number"]'),
        ("secret", 'secret = ["/card~2number"]'),
        ("secret", 'secret = [""]'),
        ("secret", 'secret = ["/*"]'),
        ("secret", 'secret = ["/misspelt"]'),
        ("signing", "signing = true"),
        ("timeout_s", 'timeout_s = "30"'),
        ("timeout_s", "timeout_s = 0"),
        ("timeout_s", "timeout_s = inf"),
        ("timeout_s", "timeout_s = true"),
        ("idempotent", "idempotent = 1"),
        ("risk", 'risk = "extreme"'),
        ("approval", 'approval = "never"'),
        ("payload", 'payload = "form"'),
        ("method", 'method = "GET"'),
        ("title", 'title = "Cancel {nothing}"'),
        ("headers", 'headers = { Authorization = "Bearer pasted-secret" }'),
        ("headers", 'headers = { Authorization = "env:" }'),
        ("headers", 'headers = { "Bad Name" = "env:A" }'),
        ("headers", 'headers = { idempotency-key = "env:A" }'),
        ("headers.Authorization", "headers = { Authorization = 7 }"),
        ("parameters", 'parameters_file = "both.json"'),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_file_and_tool(
    field: str, line: str, load: Load, tmp_path: Path
) -> None:
    with pytest.raises(InvalidTool) as refusal:
        load(GOOD + line + INLINE)
    message = refusal.value.message
    assert message.startswith(f"{tmp_path / 'tools.toml'}: Tool 'cancel_pending_order', field '{field}': ")
    assert refusal.value.facts["field"] == field
    assert "pasted-secret" not in message


def test_fields_to_come_say_so(load: Load) -> None:
    with pytest.raises(InvalidTool, match="field 'retries': is not available yet"):
        load(GOOD + "retries = 2" + INLINE)


@pytest.mark.parametrize(("kind", "reason"), [("mcp", "not available yet"), ("code", "not available yet")])
def test_kinds_to_come_say_so(kind: str, reason: str, load: Load) -> None:
    with pytest.raises(InvalidTool, match=f"field 'kind': {kind} is {reason}"):
        load(GOOD.replace('"http"', f'"{kind}"'))


def test_python_tools_are_sent_to_python(load: Load) -> None:
    with pytest.raises(InvalidTool, match="COUNTERSIGN_TOOLS"):
        load(GOOD.replace('"http"', '"python"'))


@pytest.mark.parametrize("kind", ['"grpc"', "7", "[]"])
def test_an_unknown_kind_is_refused(kind: str, load: Load) -> None:
    with pytest.raises(InvalidTool, match="field 'kind'"):
        load(GOOD.replace('"http"', kind))


@pytest.mark.parametrize("field", ["name", "kind", "url", "description"])
def test_a_missing_field_is_named(field: str, load: Load) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(field))
    tool = "number 1" if field == "name" else "cancel_pending_order"
    with pytest.raises(InvalidTool, match=f"Tool '{tool}', field '{field}': Field required"):
        load(text + INLINE)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "/tools",
        "127.0.0.1:9100",
        "file:///etc/passwd",
        "http://",
        "http://user:pw@host/",
        "http://[::1",
        "",
    ],
)
def test_an_address_that_is_not_http_is_refused(url: str, load: Load) -> None:
    with pytest.raises(InvalidTool, match="field 'url'") as refusal:
        load(GOOD.replace("http://127.0.0.1:9100/tools/cancel_pending_order", url) + INLINE)
    assert "pw" not in refusal.value.message.partition("field")[2]


def test_a_tool_may_take_no_arguments(load: Load) -> None:
    (definition,) = load(GOOD + '[tool.parameters]\ntype = "object"\n').definitions()
    assert definition.schema_text == '{"type":"object","properties":{}}'


def test_another_form_of_the_body_is_another_tool(load: Load) -> None:
    other = GOOD.replace("cancel_pending_order", "other", 1)
    first, second = load(GOOD + INLINE + other + 'payload = "arguments"' + INLINE).definitions()
    assert dataclasses.replace(second, name=first.name).sha256 != first.sha256


def test_a_tool_without_a_schema_is_refused(load: Load) -> None:
    with pytest.raises(InvalidTool, match="field 'parameters': give either"):
        load(GOOD)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"type": "array"}', '{"type":"object","type":"object"}', "\xff"])
def test_a_schema_file_that_cannot_be_used_is_refused(text: str | None, load: Load, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "schema.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidTool, match="field 'parameters_file'"):
        load(GOOD + 'parameters_file = "schema.json"')


def test_a_schema_that_is_no_json_is_refused(load: Load) -> None:
    with pytest.raises(InvalidTool, match="field 'parameters': not JSON"):
        load(GOOD + INLINE + "properties.day = { default = 2026-01-02 }")


def test_two_tools_of_one_name_are_refused(load: Load) -> None:
    with pytest.raises(InvalidTool, match="'cancel_pending_order', field 'name': another tool"):
        load(GOOD + INLINE + GOOD + INLINE)


@pytest.mark.parametrize("text", ["[[tool]", "[tool]\nname = 'a'", "tool = 7", "[settings]\na = 1", "name = 'a'"])
def test_a_file_of_another_form_is_refused(text: str, load: Load, tmp_path: Path) -> None:
    with pytest.raises(InvalidTool) as refusal:
        load(text)
    assert refusal.value.message.startswith(f"{tmp_path / 'tools.toml'}: ")


def test_entries_that_are_no_tables_are_refused(load: Load) -> None:
    with pytest.raises(InvalidTool, match="Tool 'number 1', field 'tool': must be a table"):
        load("tool = [7]")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTool, match="cannot be read"):
        load_tools_file(tmp_path / "absent.toml", ToolRegistry())
