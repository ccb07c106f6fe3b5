"""What a gateway serves, as an OpenAPI document: `GET /openapi.json`.

Of a request it says what the gateway itself reads; every other field goes on to the endpoint. What endpoints answer is
what OpenAI publishes of each operation (https://github.com/openai/openai-openapi).
"""

from __future__ import annotations

from typing import Any

from stargate.gateway.record import OPERATIONS, Operation

_WHOLE = {"type": ["integer", "null"], "minimum": 0}
_PROMPTS: dict[Operation, tuple[str, dict[str, Any], str]] = {
    "chat/completions": ("messages", {"type": "array", "items": {"type": "object"}}, "Answer a chat."),
    "completions": ("prompt", {"type": ["string", "array"]}, "Go on with a text."),
    "embeddings": ("input", {"type": ["string", "array"]}, "Turn texts into vectors."),
    "responses": ("input", {"type": ["string", "array"]}, "Answer, as items."),
}
_REASONS = {
    400: "The body cannot be read, or a field is not what it must be.",
    401: "The request carries no key that is good here.",
    403: "No endpoint may serve this key: each clause is named.",
    404: "There is no such model for this key.",
    408: "The request did not arrive in time.",
    413: "The body is too large.",
    415: "The body is packed.",
    422: "The endpoint refuses the request.",
    429: "A limit of the key, of the gateway, or of all endpoints is reached.",
    502: "An endpoint did not answer, or broke off.",
    503: "The gateway cannot serve this now.",
}
_EVENT = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
}
_NULLABLE_TEXT = {"type": ["string", "null"]}
SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": _NULLABLE_TEXT,
                    "code": _NULLABLE_TEXT,
                },
            }
        },
    },
    "Model": {
        "type": "object",
        "required": ["id", "object", "created", "owned_by"],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": "model"},
            "created": {"type": "integer", "description": "Seconds since 1970."},
            "owned_by": {"type": "string"},
        },
    },
    "Models": {
        "type": "object",
        "required": ["object", "data"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
        },
    },
}


def description(version: str) -> dict[str, Any]:
    """The document."""
    paths: dict[str, Any] = {f"/v1/{name}": {"post": _asking(name)} for name in OPERATIONS}
    paths["/v1/models"] = {
        "get": _getting("List the models that the key may ask for.", "Models", "listModels")
    }
    one = _getting("Look one up.", "Model", "retrieveModel", 404)
    one["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]
    paths["/v1/models/{model}"] = {"get": one}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stargate gateway", "version": version},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _asking(operation: Operation) -> dict[str, Any]:
    prompt, kind, summary = _PROMPTS[operation]
    answers: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if operation != "embeddings":
        answers["text/event-stream"] = {"schema": _EVENT}
    return {
        "operationId": operation.replace("/", "-"),
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": [] if operation == "responses" else ["model", prompt],
                        "properties": {
                            "model": {"type": "string", "minLength": 1},
                            prompt: kind,
                            **_bounds(operation),
                        },
                    }
                }
            },
        },
        "responses": {
            "200": {"description": "The endpoint's answer.", "content": answers},
            **_errors(*_REASONS),
        },
    }


def _bounds(operation: Operation) -> dict[str, Any]:
    """The fields that say how much is asked for, and how it is to come."""
    if operation == "embeddings":
        return {}
    flag: dict[str, Any] = {"stream": {"type": ["boolean", "null"]}}
    if operation == "responses":
        return {**flag, "max_output_tokens": _WHOLE}
    most = {"max_tokens": _WHOLE, "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 128}}
    if operation == "chat/completions":
        most["max_completion_tokens"] = _WHOLE
    return {**flag, "stream_options": {"type": ["object", "null"]}, **most}


def _getting(summary: str, schema: str, name: str, *errors: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "OK", "content": content}, **_errors(401, *errors, 429, 503)},
    }


def _errors(*statuses: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {str(status): {"description": _REASONS[status], "content": content} for status in statuses}
