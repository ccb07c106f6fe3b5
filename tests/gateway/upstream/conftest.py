"""All clients, on both event loops, under the same tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from stargate.gateway.upstream import HttptoolsUpstream, Upstream
from stargate.gateway.upstream.by_aiohttp import AiohttpUpstream
from stargate.gateway.upstream.by_pyreqwest import PyreqwestUpstream
from tests.gateway.provider import Provider

CONNECT_S = 2.0


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(
    params=[HttptoolsUpstream, AiohttpUpstream, PyreqwestUpstream], ids=["httptools", "aiohttp", "pyreqwest"]
)
async def upstream(request: pytest.FixtureRequest, anyio_backend: object) -> AsyncIterator[Upstream]:
    made: Upstream = request.param(connect_s=CONNECT_S)
    yield made
    await made.close()


@pytest.fixture
async def provider(anyio_backend: object) -> AsyncIterator[Provider]:
    async with Provider() as provider:
        provider.requests = []
        yield provider
