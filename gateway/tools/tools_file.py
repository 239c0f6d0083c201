"""``tools.toml``: the operator's tools, read strictly."""

import tomllib
from pathlib import Path
from typing import Any, Final, Literal

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.domain import json_text
from gateway.errors import GatewayError, InvalidTool
from gateway.tools.base import ApprovalMode, Risk, ToolDefinition
from gateway.tools.definition import invalid, schema_text
from gateway.tools.headers import check_headers
from gateway.tools.http import METHODS, HttpTool, Payload
from gateway.tools.registry import ToolRegistry

_NOT_YET_KINDS: Final = ("mcp", "code")
_NOT_YET_FIELDS: Final = ("retries", "signing")


class _HttpEntry(BaseModel):
    """One ``[[tool]]`` table of kind http."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    kind: Literal["http"]
    url: str
    method: str = "POST"
    payload: Payload = "envelope"
    headers: dict[str, str] = {}
    description: str
    parameters: dict[str, Any] | None = None
    parameters_file: str | None = None
    title: str | None = None
    risk: Risk = "medium"
    approval: ApprovalMode = "ask"
    idempotent: bool = False
    timeout_s: float = 30.0
    expires_after_s: float | None = None
    run_within_s: float | None = None
    note_required: bool = False
    secret: list[str] = []


def load_tools_file(path: Path, registry: ToolRegistry) -> None:
    """Every ``[[tool]]`` table of the file is registered, in its order.

    Paths in the file are relative to it. Raises: InvalidTool naming the file, the tool and the field.
    """
    for position, table in enumerate(_tables(path), start=1):
        try:
            registry.register(_http_tool(_entry(table, position), path.parent, registry))
        except InvalidTool as error:
            raise InvalidTool(f"{path}: {error.message}", file=str(path), **error.facts) from error


def _tables(path: Path) -> list[Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidTool(f"{path}: the file cannot be read: {error}", file=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidTool(f"{path}: not TOML: {error}", file=str(path)) from error
    tables = document.pop("tool", [])
    if document:
        raise InvalidTool(f"{path}: unknown field {next(iter(document))!r}; tools are [[tool]] tables", file=str(path))
    if not isinstance(tables, list):
        raise InvalidTool(f"{path}: write [[tool]] with two brackets", file=str(path), field="tool")
    return tables


def _entry(table: Any, position: int) -> _HttpEntry:
    name = table.get("name") if isinstance(table, dict) else None
    label = name if isinstance(name, str) else f"number {position}"
    if not isinstance(table, dict):
        raise invalid(label, "tool", "must be a table")
    if table.get("kind") in _NOT_YET_KINDS:
        raise invalid(label, "kind", f"{table['kind']} is not available yet")
    if table.get("kind") == "python":
        raise invalid(label, "kind", "python tools are registered in Python: see COUNTERSIGN_TOOLS")
    for field in _NOT_YET_FIELDS:
        if field in table:
            raise invalid(label, field, "is not available yet")
    try:
        return _HttpEntry.model_validate(table)
    except ValidationError as error:
        # The input is left out: it may be a secret that someone pasted.
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid(label, ".".join(str(part) for part in first["loc"]), first["msg"]) from None


def _http_tool(entry: _HttpEntry, folder: Path, registry: ToolRegistry) -> HttpTool:
    _check_address(entry)
    if sentence := check_headers(entry.headers):
        raise invalid(entry.name, "headers", sentence)
    definition = ToolDefinition(
        name=entry.name,
        kind="http",
        description=entry.description,
        schema_text=_schema_text(entry, folder),
        target=f"{entry.method} {entry.url} ({entry.payload})",
        title=entry.title,
        risk=entry.risk,
        approval=entry.approval,
        idempotent=entry.idempotent,
        timeout_s=entry.timeout_s,
        expires_after_s=entry.expires_after_s,
        run_within_s=entry.run_within_s,
        note_required=entry.note_required,
        secret=tuple(entry.secret),
    )
    return HttpTool(
        definition,
        method=entry.method,
        url=entry.url,
        payload=entry.payload,
        headers={name: _located(source, folder) for name, source in entry.headers.items()},
        client=registry.http_client,
    )


def _check_address(entry: _HttpEntry) -> None:
    if entry.method not in METHODS:
        raise invalid(entry.name, "method", f"must be one of {', '.join(METHODS)}")
    try:
        url = httpx2.URL(entry.url)
    except httpx2.InvalidURL:
        raise invalid(entry.name, "url", "is not an address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise invalid(entry.name, "url", "must begin with http:// or https:// and name a host")
    if url.userinfo:
        raise invalid(entry.name, "url", "must not hold a user name or password: use headers")


def _schema_text(entry: _HttpEntry, folder: Path) -> str:
    if (entry.parameters is None) == (entry.parameters_file is None):
        raise invalid(entry.name, "parameters", "give either parameters or parameters_file")
    if entry.parameters is not None:
        return schema_text(entry.name, entry.parameters)
    try:
        text = (folder / str(entry.parameters_file)).read_text(encoding="utf-8")
        return schema_text(entry.name, json_text.require_object(text))
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(entry.name, "parameters_file", f"cannot be read: {error}") from None
    except InvalidTool as error:
        raise invalid(entry.name, "parameters_file", error.facts["reason"]) from None
    except GatewayError as error:
        raise invalid(entry.name, "parameters_file", error.message) from None


def _located(source: str, folder: Path) -> str:
    """``file:PATH`` with the path made independent of the working directory; anything else as it is."""
    kind, _, place = source.partition(":")
    return f"file:{(folder / place).absolute()}" if kind == "file" else source
