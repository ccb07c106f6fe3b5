"""The mock as a server of the running event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import msgspec

from tests.gateway.provider.ask import inputs
from tests.gateway.provider.connection import Connection, answered
from tests.gateway.provider.event import CREATED_S
from tests.gateway.provider.play import plain
from tests.gateway.provider.script import Script, read
from tests.gateway.provider.tally import Tally, usage


class Mode(msgspec.Struct):
    """`POST /_mode`: how requests are answered that do not say it themselves."""

    script: str = ""
    times: int = 0
    """For so many requests; 0: until another mode is set."""


class Provider:
    """A server; `async with Provider() as provider` starts it."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, models: tuple[str, ...] = ("tiny",)) -> None:
        self.host = host
        self.port = port
        self.models = models
        self.tally = Tally()
        self.connections: set[Connection] = set()
        self.accepted = 0
        """Connections since the beginning."""
        self.requests: list[tuple[str, dict[str, str], bytes]] | None = None
        """Set to a list to have path, headers and body of every request."""
        self.cuts_chats = True
        """`/tokenize` takes chats."""
        self._mode = Script()
        self._times = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Up to and with `/v1`."""
        return f"http://{self.host}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), self.host, self.port, backlog=4_096, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self, *, reset: bool = False) -> None:
        """Refuse connections from now on, and end those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        while self.connections:
            for connection in tuple(self.connections):
                connection.drop(reset=reset, flush=False)
            await asyncio.sleep(0)

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Refuse connections for a while."""
        await self.refuse()
        yield
        await self.listen()

    def play(self, script: str, times: int = 0) -> None:
        """Answer so from now on, or so many times."""
        self._mode, self._times = read(script), times

    def script(self) -> Script:
        """The mode for the next request."""
        mode = self._mode
        if self._times:
            self._times -= 1
            if not self._times:
                self._mode = Script()
        return mode

    def control(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """Health, the list of models, the mode, and what was used."""
        if path == b"/health":
            return answered({"status": "ok"})
        if path == b"/v1/models":
            data = [
                {"id": model, "object": "model", "created": CREATED_S, "owned_by": "mock"}
                for model in self.models
            ]
            return answered({"object": "list", "data": data})
        if path == b"/_mode" and method == b"POST":
            return self._set(body)
        if path == b"/tokenize" and method == b"POST":
            return self._tokenize(body)
        if path == b"/_usage":
            return answered(self.tally.requests)
        if path.startswith(b"/usage/"):
            request = path.removeprefix(b"/usage/").decode("latin-1")
            used = self.tally.requests.get(request)
            if used is not None:
                told = {"id": request, "usage": usage(used.tokens()), "finished": used.over}
                return answered(told)
        error = {"message": "there is no such thing here", "type": "not_found", "param": None, "code": None}
        return plain(404, msgspec.json.encode({"error": error}))

    def _tokenize(self, body: bytes) -> bytes:
        """As vLLM does it where chats are cut here, else as llama.cpp does; a token is a word."""
        asked = msgspec.json.decode(body)
        if not self.cuts_chats:
            return answered({"tokens": asked.get("content", "").split()})
        if "messages" in asked:
            return answered({"count": inputs(asked["messages"]), "max_model_len": 4_096})
        return answered({"count": len(asked["prompt"].split())})

    def _set(self, body: bytes) -> bytes:
        try:
            mode = msgspec.json.decode(body, type=Mode)
            self.play(mode.script, mode.times)
        except ValueError as fault:
            return plain(400, msgspec.json.encode({"error": {"message": str(fault), "type": "mode"}}))
        return answered(mode)


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens now: to it connections are refused."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port
