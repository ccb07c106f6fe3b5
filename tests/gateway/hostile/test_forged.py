"""Requests that would have the gateway call where they say: it calls only what its routes name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.alone import TOKEN, Alone, alone, endpoint, routes
from tests.gateway.hostile.villain import Villain, villain
from tests.gateway.hostile.wire import HEAD, length, send, whole
from tests.gateway.provider import Process

FIELDS = (
    "url", "base_url", "api_base", "api_key", "host", "endpoint", "endpoints", "provider", "proxy", "callback",
    "webhook", "webhook_url", "redirect", "file", "file_url", "image_url", "model_url", "upstream", "fallbacks",
    "extra_body", "extra_headers", "headers", "metadata", "mcp_servers", "server_url",
)  # fmt: skip
HEADERS = (
    "host", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-server", "forwarded", "x-real-ip",
    "x-host", "x-original-url", "x-rewrite-url", "x-original-host", "origin", "referer", "via", "proxy", "base-url",
    "x-base-url", "x-api-base", "x-endpoint", "x-upstream", "openai-base-url", "helicone-target-url",
    "x-portkey-config", "x-http-method-override",
    "callback-url", "link", "location", "destination", "x-wap-profile", "from",
    "true-client-ip",
)  # fmt: skip


@pytest.fixture(scope="module")
def canary() -> Iterator[Villain]:
    """Whoever calls it was fooled."""
    with villain({}) as made:
        yield made


def body(address: str) -> bytes:
    parts = [
        {"type": "text", "text": address},
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "input_image", "image_url": address},
        {"type": "file", "file": {"file_data": address, "file_url": address}},
        {"type": "input_file", "file_url": address},
    ]
    asked = {
        "messages": [{"role": "user", "content": parts}],
        "prompt": address,
        "input": [{"role": "user", "content": parts}],
    }
    tools = [
        {"type": "mcp", "server_url": address, "server_label": "x"},
        {"type": "function", "function": {"name": address}},
    ]
    more = dict.fromkeys(FIELDS, address)
    return json.dumps({"model": "tiny", "tools": tools, **more, **asked}).encode()


@pytest.mark.parametrize("operation", ["chat/completions", "completions", "embeddings", "responses"])
def test_no_field_and_no_header_moves_the_gateway_to_call(
    gateway: Alone, canary: Villain, provider: Process, operation: str
) -> None:
    """What asks an endpoint to fetch something is that endpoint's to do, or not."""
    address = f"http://127.0.0.1:{canary.port}/v1"
    more = b"".join(f"{name}: {address}\r\n".encode() for name in HEADERS)
    target = f"POST {address}/{operation} HTTP/1.1\r\n".encode()
    said_body = body(address)
    before = sum(used.calls + used.refused for used in provider.used().values())
    answer = send(gateway.port, target + HEAD + more + length(len(said_body)) + b"\r\n" + said_body)
    assert answer.status in (200, 400)
    assert sum(used.calls + used.refused for used in provider.used().values()) == before + 1
    assert not canary.heads


def test_endpoints_are_told_nothing_of_the_client(canary: Villain, tmp_path: Path) -> None:
    """Neither its key nor its headers: only what they need to answer."""
    with alone(tmp_path / "gateway", routes(endpoint(canary.url("told"), usage_path=""))) as made:
        send(made.port, whole(b'{"model":"tiny","messages":[]}', b"Cookie: a=b\r\nX-Secret: mine\r\n"))
    told = canary.heads[-1].lower()
    assert TOKEN.encode() not in told
    assert {line.partition(b":")[0] for line in told.split(b"\r\n")[1:]} == {
        b"host", b"accept", b"accept-encoding", b"user-agent", b"content-type", b"content-length", b"x-request-id",
    }  # fmt: skip
