"""``/docs``: the OpenAPI document as one readable page, with nothing loaded from elsewhere."""

import base64
import hashlib
import html
import json
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

router = APIRouter()

_STYLE = """\
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.45 ui-monospace,monospace}
pre{overflow:auto;padding:.75rem;border:1px solid #8886;border-radius:.4rem}
article{border-top:1px solid #8886;padding:1rem 0}
h3{margin:.2rem 0}
h3 code{font-weight:600}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    return HTMLResponse(_page(request.app.openapi()), headers={"Content-Security-Policy": _POLICY})


def _page(document: dict[str, Any]) -> str:
    info = document["info"]
    operations = [
        _operation(document, method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    title = html.escape(f"{info['title']} {info['version']}: API")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1><p>{_text(info['description'])}</p>"
        '<p>For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>'
        f"{''.join(operations)}</main></body></html>\n"
    )


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [
        f"<article><h3><code>{method.upper()} {html.escape(path)}</code></h3>",
        f"<p><strong>{_text(operation.get('summary', ''))}.</strong> {_text(operation.get('description', ''))}</p>",
        _parameters(operation),
        _body(document, operation),
        _responses(operation),
        "</article>",
    ]
    return "".join(parts)


def _parameters(operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{html.escape(parameter['name'])}</code></td><td>{parameter['in']}</td>"
        f"<td>{_text(parameter.get('description') or parameter['schema'].get('description', ''))}</td></tr>"
        for parameter in operation.get("parameters", [])
    ]
    return f"<table><tr><th>Parameter</th><th>in</th><th></th></tr>{''.join(rows)}</table>" if rows else ""


def _body(document: dict[str, Any], operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return ""
    schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    rows = [
        f"<tr><td><code>{html.escape(name)}</code></td><td>{_text(field.get('description', ''))}</td></tr>"
        for name, field in schema["properties"].items()
    ]
    examples = [
        f"<p>{_text(example['summary'])}:</p>"
        f"<pre>{html.escape(json.dumps(example['value'], indent=2, ensure_ascii=False))}</pre>"
        for example in content.get("examples", {}).values()
    ]
    return f"<table><tr><th>Body</th><th></th></tr>{''.join(rows)}</table>{''.join(examples)}"


def _responses(operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td>{html.escape(status)}</td><td>{_text(response.get('description', ''))}</td></tr>"
        for status, response in sorted(operation["responses"].items())
    ]
    return f"<table><tr><th>Answer</th><th></th></tr>{''.join(rows)}</table>"


def _text(text: str) -> str:
    """Words with ``code`` in back-quotes."""
    pieces = html.escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))
