"""Asking the mock provider."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from stargate.gateway.upstream import PATIENT, Answer, Patience, Upstream
from tests.gateway.provider import Provider

LIMIT_BYTES = 1 << 24
SOON_S = 10.0


async def ask(
    upstream: Upstream,
    provider: Provider,
    script: str = "",
    *,
    stream: bool = False,
    patience: Patience = PATIENT,
    request: str = "r",
) -> Answer:
    """A chat completion, played by the script."""
    body = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "one two"}],
        "stream": stream,
        "stream_options": {"include_usage": True},
        "mock": script,
    }
    headers = [("content-type", "application/json"), ("x-request-id", request)]
    return await upstream.send(
        f"{provider.url}/chat/completions", headers, json.dumps(body).encode(), patience
    )


async def read(
    upstream: Upstream,
    provider: Provider,
    script: str = "",
    *,
    stream: bool = False,
    patience: Patience = PATIENT,
) -> bytes:
    """The same, to its end."""
    answer = await ask(upstream, provider, script, stream=stream, patience=patience)
    return await answer.whole(LIMIT_BYTES)


async def until(happened: Callable[[], object]) -> None:
    """Wait for it."""
    async with asyncio.timeout(SOON_S):
        while not happened():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.005)
