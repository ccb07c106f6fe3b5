"""One connection to the mock: parses requests by the least that is right, and plays the answers."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from typing import Protocol, cast

import msgspec

from tests.gateway.provider.ask import Operation, ask
from tests.gateway.provider.event import NOTHING
from tests.gateway.provider.play import Drop, Stall, Step, Wait, Write, plain, steps
from tests.gateway.provider.script import Script
from tests.gateway.provider.tally import Tally, Used

REQUEST_LIMIT_BYTES = 64 << 20
_HEAD_LIMIT_BYTES = 1 << 20
_OPERATIONS: dict[bytes, Operation] = {
    b"/v1/chat/completions": "chat/completions",
    b"/v1/completions": "completions",
    b"/v1/embeddings": "embeddings",
    b"/v1/responses": "responses",
}
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for 0 s: closing resets."""


class House(Protocol):
    """What connections share."""

    tally: Tally
    connections: set[Connection]
    accepted: int
    requests: list[tuple[str, dict[str, str], bytes]] | None
    models: tuple[str, ...]

    def script(self) -> Script:
        """The mode that the next request is answered in, if it says none itself."""

    def control(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """An answer to what is no request of OpenAI's."""


class Connection(asyncio.Protocol):
    """Requests are answered one after the other."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._received = b""
        self._playing: Iterator[Step] | None = None
        self._used: Used | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop gives transports that are not derived from those of asyncio
        self._transport = cast("asyncio.Transport", transport)
        self._house.connections.add(self)
        self._house.accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._house.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._playing is not None and self._used is not None:
            self._used.aborted += 1
        self._playing = self._used = None

    def eof_received(self) -> bool:
        return False  # a client that has closed its side has left: the transport closes

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        self._next()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._go_on()

    def _next(self) -> None:
        while self._playing is None and self._received and not self._transport.is_closing():
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                if len(self._received) > _HEAD_LIMIT_BYTES:
                    self.drop(reset=False)
                return
            head = self._received[:end]
            whole = _body(head, self._received, end + 4)
            if whole is None:
                return
            body, used_bytes = whole
            self._received = self._received[used_bytes:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        operation = _OPERATIONS.get(path)
        if self._house.requests is not None:
            self._house.requests.append((path.decode(), headers(head), body))
        if operation is None or method != b"POST":
            self._transport.write(self._house.control(method, path, body))
            return
        request = _header(head, b"x-request-id") or f"unnamed-{self._house.accepted}"
        used = self._house.tally.of(request)
        try:
            asked = ask(operation, body, _header(head, b"x-mock"), self._house.script())
        except ValueError as fault:
            used.refused += 1
            error = {"message": str(fault), "type": "invalid_request_error", "param": None, "code": None}
            self._transport.write(plain(400, json.dumps({"error": error}).encode()))
            return
        if asked.script.status == 200:
            used.calls += 1
            self._used = used
        else:
            used.refused += 1
        self._playing = iter(steps(asked))
        self._go_on()

    def _go_on(self) -> None:
        """Play until the next pause, or the end."""
        playing, write, used = self._playing, self._transport.write, self._used
        self._timer = None
        if playing is None:
            return
        while not self._paused:
            step = next(playing, None)
            if isinstance(step, Write):
                if self._transport.is_closing():
                    return
                write(step.data)
                if used is not None and step.used is not NOTHING:
                    used.add(step.used)
            elif isinstance(step, Wait):
                self._timer = self._loop.call_later(step.seconds, self._go_on)
                return
            elif isinstance(step, Stall):
                if used is not None:
                    used.stalled += 1
                return
            else:
                if used is not None:
                    self._end(used, step)
                self._playing = self._used = None
                if isinstance(step, Drop):
                    self.drop(reset=step.reset)
                else:
                    self._loop.call_soon(self._next)
                return

    def _end(self, used: Used, step: Drop | None) -> None:
        """A drop ends what has no length in good order, too: only what fell short is cut."""
        if step is None or step.whole:
            used.finished += 1
        else:
            used.cut += 1

    def drop(self, *, reset: bool, flush: bool = True) -> None:
        """End the connection."""
        if reset and not self._transport.is_closing():
            raw: socket.socket = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if reset or not flush:
            self._transport.abort()
        else:
            self._transport.close()


def headers(head: bytes) -> dict[str, str]:
    """Of a request, by names in lower case."""
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}


def _header(head: bytes, name: bytes) -> str:
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip().decode("latin-1")


def _body(head: bytes, received: bytes, start: int) -> tuple[bytes, int] | None:
    """The body and where what follows begins; None: not whole yet."""
    length = _header(head, b"content-length")
    if length:
        end = start + min(int(length), REQUEST_LIMIT_BYTES)
        return (received[start:end], end) if len(received) >= end else None
    if "chunked" not in _header(head, b"transfer-encoding"):
        return b"", start
    parts: list[bytes] = []
    while True:
        line = received.find(b"\r\n", start)
        if line < 0:
            return None
        count = int(received[start:line], 16)
        start = line + 2 + count + 2
        if len(received) < start:
            return None
        if not count:
            return b"".join(parts), start
        parts.append(received[line + 2 : line + 2 + count])


def answered(content: object) -> bytes:
    """A record as an answer."""
    return plain(200, msgspec.json.encode(content))
