"""The HTTP API, from the OpenAPI document that the server itself answers with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs._ext.reference.markdown import table

METHODS = ("get", "post", "put", "patch", "delete")


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    from stargate.server import openapi

    return openapi()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation, in order of paths."""
    for path, item in sorted(document()["paths"].items()):
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def routes() -> str:
    """One section for each route: what it does, parameters, answers."""
    parts: list[str] = []
    for method, path, operation in operations():
        parameters = [
            (f"`{parameter['name']}`", parameter["in"], parameter.get("description", ""))
            for parameter in operation.get("parameters", ())
        ]
        answers = [
            (f"`{status}`", answer.get("description", ""))
            for status, answer in operation["responses"].items()
        ]
        parts += [
            f"### `{method} {path}`",
            operation.get("description") or operation.get("summary", ""),
            table(("parameter", "in", "meaning"), parameters),
            table(("answer", "meaning"), answers),
        ]
    return "\n\n".join(part for part in parts if part)
