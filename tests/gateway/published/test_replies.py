"""What the gateway answers is what OpenAI publishes that it answers, event by event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.provider import Provider
from tests.gateway.published.schema import breaches, event_breaches
from tests.gateway.serving.rig import Call, endpoint, rig

pytestmark = pytest.mark.anyio
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat/completions", {"messages": [{"role": "user", "content": "hello"}]}),
    "a tool": ("chat/completions", {"messages": [{"role": "user", "content": "hello"}], "tools": [TOOL]}),
    "cut short": ("chat/completions", {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}),
    "reasoning": ("chat/completions", {"messages": [], "mock": "tokens=8&reasoning=3&cached=1"}),
    "usage wanted": ("chat/completions", {"messages": [], "stream_options": {"include_usage": True}}),
    "obfuscation": ("chat/completions", {"messages": [], "stream_options": {"include_obfuscation": False}}),
    "completion": ("completions", {"prompt": "hello"}),
    "embeddings": ("embeddings", {"input": ["hello", "world"]}),
    "packed embeddings": ("embeddings", {"input": "hello", "encoding_format": "base64"}),
    "response": ("responses", {"input": "hello"}),
    "response to a message": ("responses", {"input": [{"role": "user", "content": "hello"}]}),
}
SCHEMAS = {
    "chat/completions": "CreateChatCompletionResponse", "completions": "CreateCompletionResponse",
    "embeddings": "CreateEmbeddingResponse", "responses": "Response",
}  # fmt: skip
CHUNKS = {
    "chat/completions": "CreateChatCompletionStreamResponse", "completions": "CreateCompletionResponse"
}  # fmt: skip


async def ask(tmp_path: Path, operation: str, body: dict[str, Any]) -> Call:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        return await made.run(Call(json.dumps({"model": "tiny", **body}).encode()), f"/v1/{operation}")


@pytest.mark.parametrize("name", sorted(ASKED))
async def test_whole_replies_are_as_published(tmp_path: Path, name: str) -> None:
    """Of every operation."""
    operation, body = ASKED[name]
    call = await ask(tmp_path, operation, {**body, "stream_options": None})
    assert call.status == 200
    reply = json.loads(call.body)
    if name == "packed embeddings":
        for each in reply["data"]:
            assert isinstance(each["embedding"], str)
            each["embedding"] = []  # the published schema knows no other form than numbers
    assert not breaches(SCHEMAS[operation], reply)


@pytest.mark.parametrize("name", sorted(name for name in ASKED if "embeddings" not in name))
async def test_every_event_of_a_stream_is_as_published(tmp_path: Path, name: str) -> None:
    """To the last one."""
    operation, body = ASKED[name]
    call = await ask(tmp_path, operation, {**body, "stream": True})
    assert call.status == 200
    assert len(call.events) > 3
    events = call.events
    if operation in CHUNKS:
        assert events.pop() == "[DONE]"
        wanted = bool((body.get("stream_options") or {}).get("include_usage"))
        assert bool(events[-1].get("usage")) is wanted, "usage is told to whoever asked for it"
    else:
        assert events[-1]["type"] == "response.completed"
        numbers = [event["sequence_number"] for event in events]
        assert numbers == list(range(len(numbers)))
    for event in events:
        if operation == "completions" and event["choices"] and event["choices"][0]["finish_reason"] is None:
            event["choices"][0]["finish_reason"] = (
                "stop"  # null until the end: OpenAI sends it, and publishes it not
            )
        found = breaches(CHUNKS[operation], event) if operation in CHUNKS else event_breaches(event)
        assert not found, event


async def test_models_are_as_published(tmp_path: Path) -> None:
    """The list, and one of them."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        for path, schema in (("/v1/models", "ListModelsResponse"), ("/v1/models/tiny", "Model")):
            call = await made.get(path, token="sg_live_test")
            assert call.status == 200
            assert not breaches(schema, json.loads(call.body))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"[]", 400),
        ("/v1/chat/completions", b'{"model":"none","messages":[]}', 404),
        ("/v1/chat/completions", b'{"model":"tiny","messages":[],"mock":"play=400"}', 400),
        ("/v1/chat/completions", b'{"model":"tiny","messages":[],"mock":"play=429"}', 429),
        ("/v1/chat/completions", b'{"model":"tiny","messages":[],"mock":"play=500"}', 502),
        ("/v1/chat/completions", b'{"model":"tiny","messages":[],"mock":"play=garbage"}', 502),
        ("/v1/nothing", b"{}", 404),
        ("/v1/models", b"{}", 405),
    ],
)
async def test_errors_are_as_published(tmp_path: Path, path: str, body: bytes, status: int) -> None:
    """Ours, and those of endpoints."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        call = await made.run(Call(body), path)
        assert call.status == status
        assert not breaches("ErrorResponse", json.loads(call.body))


def test_the_schemas_can_tell() -> None:
    """A reply with a part missing, or wrong, is found out."""
    good = {"id": "tiny", "object": "model", "created": 0, "owned_by": "x"}
    assert not breaches("Model", good)
    assert breaches("Model", {**good, "created": "today"})
    assert breaches("Model", {"id": "tiny"})
    assert event_breaches({"type": "response.output_text.delta"})
    assert event_breaches({"type": "response.unheard_of"})
