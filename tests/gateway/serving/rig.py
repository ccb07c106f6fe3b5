"""A gateway's application in the event loop of a test: requests by hand, endpoints mocked, the spool on disk."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stargate.base.time import Instant
from stargate.gateway.limits import Allotment, OwnBank, Purse
from stargate.gateway.metering import Spool
from stargate.gateway.metering.reading import Reading
from stargate.gateway.record import Admitted, Application, Endpoint, Model, Routes, Scope, Settled
from stargate.gateway.serving.app import App
from stargate.gateway.serving.desk import Desk
from stargate.gateway.serving.plane import Plane
from stargate.gateway.serving.settings import Settings
from stargate.gateway.upstream import HttptoolsUpstream
from tests.gateway.provider import Provider

TOKEN = "sg_live_test"


def clock_us() -> int:
    return time.time_ns() // 1_000


def key(**scope: Any) -> Application:
    """The application of `TOKEN`."""
    return Application(
        id="k",
        name="test",
        sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),
        scope=Scope(**scope),
        operator=True,
    )


def endpoint(provider: Provider, **more: Any) -> Endpoint:
    """A mock as an endpoint."""
    said = {"id": f"at-{provider.port}", "model": "tiny", "provider": "azure", "party": "microsoft"}
    return Endpoint(url=provider.url, usage_path="/usage/{request_id}", **{**said, **more})


class Call:
    """One request: the protocol that granian hands to an application, and what it was answered."""

    def __init__(self, body: bytes, *, leaves: asyncio.Event | None = None) -> None:
        self._body = body
        self._leaves = leaves or asyncio.Event()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self.reading = asyncio.Event()
        """Cleared: the client leaves its answer unread."""
        self.reading.set()
        self.came = asyncio.Event()

    async def __call__(self) -> bytes:
        return self._body

    async def client_disconnect(self) -> None:
        await self._leaves.wait()

    def leave(self) -> None:
        self._leaves.set()

    def response_bytes(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        assert not self.status, "answered twice"
        self.status, self.headers, self.body, self.ended = status, dict(headers), body, True

    def response_stream(self, status: int, headers: Iterable[tuple[str, str]]) -> Call:
        assert not self.status, "answered twice"
        self.status, self.headers = status, dict(headers)
        return self

    async def send_bytes(self, data: bytes) -> None:
        if self._leaves.is_set():
            raise RuntimeError("closed")
        await self.reading.wait()
        self.body += data
        self.came.set()

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events."""
        found = [line[5:].strip() for line in self.body.decode().splitlines() if line.startswith("data:")]
        return [each if each == "[DONE]" else json.loads(each) for each in found]

    @property
    def error(self) -> dict[str, Any]:
        """Of a refusal."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


class Rig:
    """The application, and what is on its spool."""

    def __init__(self, app: App, desk: Desk, folder: Path, allotment: Allotment) -> None:
        self.app = app
        self.desk = desk
        self._folder = folder
        self._allotment = allotment

    def route(self, *endpoints: Endpoint, application: Application | None = None, **more: Any) -> None:
        """New routes."""
        holder = application or key()
        models = more.pop(
            "models", tuple(Model(id=name) for name in sorted({each.model for each in endpoints}))
        )
        self._allotment.update([holder], {holder.id: holder.scope.budget_micro_usd})
        self.desk.update(
            Routes(
                version=1, made=Instant(0), applications=(holder,), models=models, endpoints=endpoints, **more
            )
        )

    async def run(
        self, call: Call, path: str = "/v1/chat/completions", token: str = TOKEN, **headers: str
    ) -> Call:
        """Hand a request to the application, and return when it is done."""
        said = {"authorization": f"Bearer {token}", "content-length": "1", **headers}
        await self._hand(call, path, "POST", said)
        return call

    async def get(self, path: str, token: str = "", **headers: str) -> Call:
        """A request without a body."""
        call = Call(b"")
        await self._hand(call, path, "GET", {"authorization": f"Bearer {token}", **headers})
        return call

    async def _hand(self, call: Call, path: str, method: str, headers: dict[str, str]) -> None:
        client = "192.0.2.7:4711"
        await self.app(
            SimpleNamespace(proto="http", path=path, method=method, headers=headers, client=client), call
        )

    async def ask(self, path: str = "/v1/chat/completions", token: str = TOKEN, **body: Any) -> Call:
        """A request with a body of its own, else a small chat."""
        return await self.run(Call(chat(**body)), path, token)

    def attempts(self) -> list[tuple[Admitted, Settled | None]]:
        """What is on record."""
        admitted: dict[int, Admitted] = {}
        settled: dict[int, Settled] = {}
        for epoch in sorted(self._folder.iterdir()):
            for frame in Reading(epoch):
                for record in frame.records:
                    if isinstance(record, Admitted):
                        admitted[record.seq] = record
                    else:
                        assert record.seq not in settled, "settled twice"
                        settled[record.seq] = record
        return [(each, settled.get(seq)) for seq, each in sorted(admitted.items())]


def chat(**more: Any) -> bytes:
    """A small chat."""
    return json.dumps(
        {"model": "tiny", "messages": [{"role": "user", "content": "Say something"}], **more}
    ).encode()


@asynccontextmanager
async def rig(folder: Path, **settings: Any) -> AsyncIterator[Rig]:
    """An application with a spool below the folder."""
    allotment = Allotment()
    spool = Spool.open(folder / "spool", Instant(clock_us()))
    upstream = HttptoolsUpstream(connect_s=1.0)
    purse = Purse(OwnBank(allotment, "w", clock_us), clock_us)
    desk = Desk(spool, upstream, purse, clock_us, Settings(**settings), {}, folder / "why")
    app = App(desk, Plane("", 1.0, 1.0, desk.connections.unread_bytes))
    watching = asyncio.create_task(app.watch())
    try:
        yield Rig(app, desk, folder / "spool", allotment)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await upstream.close()
        await spool.close()
