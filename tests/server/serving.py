"""Services to test: an engine whose attempts have addresses, programs that answer there, and models in the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from stargate.base import wire
from stargate.engines.engine import Progress
from stargate.engines.fake import FakeEngine, Script
from stargate.gateway.record import Routes
from stargate.server.config import Limits, ServerConfig
from tests.server.world import INFRASTRUCTURE, Stage, configured, unheard

MODELS = """
models:
  - {id: tiny, owner: acme, context_tokens: 4096, price: {output_usd_per_million_tokens: 0.6}, fallbacks: [big]}
  - {id: big}
apis:
  - {id: foundry, provider: azure, site: texas, url: 'https://models.example.com/v1', secret: FOUNDRY,
     models: [{model: big, upstream: Big-1, price: {output_usd_per_million_tokens: 2.5}}], abort: drain,
     usage_path: '/usage/{request_id}', outstanding_requests: 8}
"""

SERVICE = """
name: chat
kind: serve
model: tiny
resources: {accelerators: H100:8, cloud: oci}
service: {replicas: 2, ports: 8080, readiness_probe: {path: /ready, initial_delay_seconds: 60}}
run: serve
"""


class ServingEngine(FakeEngine):
    """Its attempts run until they are stopped, and say where they answer."""

    def __init__(self) -> None:
        super().__init__(unheard, script=lambda _: Script(ticks=0))
        self.addresses: dict[str, str] = {}

    def progress(self, attempt: str) -> Progress | None:
        said = super().progress(attempt)
        return said and Progress(address=self.addresses.get(attempt, ""))


class Replica:
    """A program that answers its readiness probe as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.address = ""

    async def answer(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status)


@asynccontextmanager
async def replica() -> AsyncIterator[Replica]:
    found = Replica()
    app = web.Application()
    app.router.add_get("/ready", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.address = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


def serving(folder: Path, **changes: Any) -> ServerConfig:
    """The usual world, with models and an API."""
    limits = Limits(request_s=10.0, probe_s=0.1)
    return configured(folder, INFRASTRUCTURE + MODELS, **{"limits": limits, **changes})


async def routes_when(stage: Stage, fit: Callable[[Routes], object]) -> Routes:
    """The first routes that fit."""
    version, body = -1, None
    async with asyncio.timeout(10):
        while True:
            body = await stage.house.routing.newer(version, 10)
            assert body is not None
            found: Routes = wire.unpacker(Routes).decode(body)
            assert found.version > version
            if fit(found):
                return found
            version = found.version
