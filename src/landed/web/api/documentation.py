"""/docs: the API's description as one page of plain HTML. It loads nothing, and works offline."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}

_STYLE: Final = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; font-size: 1.1rem; } code, pre { font: 0.9em ui-monospace, monospace; }
details { border-top: 1px solid var(--line); padding: 0.6rem 0; } summary { cursor: pointer; }
summary code { font-weight: 600; } summary span { opacity: 0.75; margin-left: 0.75rem; }
table { border-collapse: collapse; margin: 0.75rem 0; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.3rem 1rem 0.3rem 0; border-bottom: 1px solid var(--line); }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid var(--line); border-radius: 6px; }
"""


def page(openapi: Mapping[str, Any]) -> str:
    """The page of an OpenAPI 3.1 description. All text in it is escaped."""
    info = openapi["info"]
    return "".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style><body>",
            f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
            "<p>Every call under <code>/v1</code> takes <code>Authorization: Bearer KEY</code>; ",
            "<code>landed keys create NAME --scope read</code> makes one. Times are RFC 3339 in UTC. ",
            "Errors are <code>application/problem+json</code> with a stable <code>code</code>. ",
            'The description for machines: <a href="openapi.json">openapi.json</a>.</p>',
            *_operations(openapi),
            "<h2>Shapes</h2>",
            *_shapes(openapi),
            "</body></html>",
        ]
    )


def _operations(openapi: Mapping[str, Any]) -> Iterator[str]:
    tag = None
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                yield f"<h2>{escape(tag.capitalize())}</h2>"
            yield f"<details><summary><code>{method.upper()} {escape(path)}</code>"
            yield f"<span>{escape(operation['summary'])}</span></summary>"
            if parameters := operation.get("parameters"):
                yield "<table><tr><th>parameter<th>type<th>meaning"
                for parameter in parameters:
                    yield _row(parameter["name"], parameter["schema"], parameter.get("description"))
                yield "</table>"
            good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            content = good.get("content", {}).get("application/json", {})
            yield f"<p>Answers {_type(content['schema']) if content.get('schema') else 'text'}.</p></details>"


def _shapes(openapi: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(openapi["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code>'
        yield f"<span>{escape(schema.get('description', '').partition(chr(10))[0])}</span></summary><table>"
        for field, described in schema.get("properties", {}).items():
            yield _row(field, described, described.get("description"))
        if "enum" in schema:
            yield f"<tr><td>{_type(schema)}"
        yield "</table></details>"


def _row(name: str, schema: Mapping[str, Any], description: str | None) -> str:
    default = schema.get("default")
    told = description or ""
    if default not in (None, [], ""):
        told += f" (default {json.dumps(default)})"
    return f"<tr><td><code>{escape(name)}</code><td>{_type(schema)}<td>{escape(told)}"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type") or "any"))
