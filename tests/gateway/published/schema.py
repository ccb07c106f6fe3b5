"""OpenAI's published schemas, asked whether a reply is one of theirs."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs

from tests.gateway.published.reduce import KEPT


@lru_cache
def _published() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(KEPT.read_bytes())
    return found


@lru_cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    components = _published()["components"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": components}
    return jsonschema_rs.Draft202012Validator(schema)


def breaches(name: str, reply: object) -> list[str]:
    """In which ways a reply is not what that schema says; none: it is."""
    return [
        f"{'/'.join(map(str, error.instance_path)) or 'the whole'}: {error.message[:300]}"
        for error in _validator(name).iter_errors(reply)
    ]


def event_breaches(event: dict[str, Any]) -> list[str]:
    """The same of an event of a streamed response, by the schema of its own type: of all at once none says much."""
    for name, schema in _published()["components"]["schemas"].items():
        kinds = schema.get("properties", {}).get("type", {}).get("enum", ())
        if name.startswith("Response") and name.endswith("Event") and event.get("type") in kinds:
            return breaches(name, event)
    return [f"no event is of the type {event.get('type')!r}"]
