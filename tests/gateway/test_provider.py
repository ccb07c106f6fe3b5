"""The mock counts what it writes, and does what its script says: other tests stand on it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.provider import FAULTS, STYLES, Provider, spawn
from tests.gateway.provider.script import read

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "one two three"}]


async def talk(provider: Provider, body: dict[str, Any], request: str = "r") -> bytes:
    """What the mock writes until it is done or falls silent."""
    reader, writer = await asyncio.open_connection(provider.host, provider.port)
    content = json.dumps({"model": "tiny", "messages": MESSAGES, **body}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nx-request-id: {request}\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    got, used = b"", provider.tally.of(request)
    while True:
        done = used.refused or used.stalled or (used.calls and used.over)
        try:
            async with asyncio.timeout(0.01):
                piece = await reader.read(1 << 20)
        except TimeoutError:
            if done:
                break
            continue
        except ConnectionResetError:
            break
        if not piece:
            break
        got += piece
    writer.close()
    return got


async def test_equal_requests_are_answered_alike_and_counted_by_id() -> None:
    async with Provider() as provider:
        first = await talk(provider, {"max_tokens": 3}, "a")
        assert await talk(provider, {"max_tokens": 3}, "b") == first
        usage = json.loads(first.partition(b"\r\n\r\n")[2])["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (6, 3)
        a, b = provider.tally.requests["a"], provider.tally.requests["b"]
        assert a == b
        assert (a.input_tokens, a.output_tokens, a.finished) == (6, 3, 1)


async def test_a_stream_that_is_left_is_counted_as_far_as_it_was_written() -> None:
    async with Provider() as provider:
        got = await talk(provider, {"stream": True, "mock": "tokens=9&at=4&play=stall"})
        await asyncio.sleep(0.05)
        used = provider.tally.requests["r"]
        assert got.count(b'"content":"w') == used.output_tokens == 4
        assert (used.aborted, used.finished) == (1, 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", sorted(STYLES | FAULTS))
async def test_every_style_and_fault_shows(name: str, stream: bool) -> None:
    async with Provider() as provider:
        body = {"stream": stream, "stream_options": {"include_usage": True}, "max_tokens": 4}
        plain = await talk(provider, body)
        played = await talk(provider, {**body, "mock": f"play={name}"}, name)
        only = {
            "comments", "continuous", "crlf", "empty-choices", "no-done", "nulls", "error-event",
        }  # fmt: skip
        same = name in {"hang-up", "trickle"} or (not stream and name in {*only, "split"})
        assert (played == plain) is same
        used = provider.tally.requests[name]
        assert used.refused == name.isdigit()
        assert used.over or "stall" in name


async def test_a_script_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="does not play comets"):
        read("play=comets")
    async with Provider() as provider:
        assert b" 400 " in await talk(provider, {"mock": "play=comets"})


def test_as_a_process_it_is_set_and_asked_over_http() -> None:
    with spawn("--model", "tiny") as process:
        process.play("tokens=5", times=1)
        answer = json.loads(process._ask("/v1/completions", {"model": "tiny", "prompt": "one two"}))
        assert answer["usage"]["completion_tokens"] == 5
        (request,) = process.used()
        assert process.usage(request) == {"id": request, "usage": answer["usage"], "finished": True}
