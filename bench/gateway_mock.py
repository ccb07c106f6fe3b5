"""The streams of a model that takes no time to think: `python -m bench.gateway_mock PORT`.

Below `/paced/v1` 32 events with 2 ms between them, below `/burst/v1` 32 at once; then usage and the end. It answers
POST alone, one request at a time on a connection, and looks at nothing of it but its length.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

EVENTS = 32
PACE_S = 0.002
USAGE = {"prompt_tokens": 57, "completion_tokens": EVENTS, "total_tokens": 57 + EVENTS}
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunk(text: str) -> bytes:
    data = f"data: {text}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def _event(choices: list[object], **more: object) -> bytes:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "mock"}
    return _chunk(json.dumps({**base, "choices": choices, **more}))


_PIECES = [
    _event([{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}])
    for number in range(EVENTS)
]
_LAST = _event([], usage=USAGE) + _chunk("[DONE]") + b"0\r\n\r\n"
_BURST = _HEAD + b"".join(_PIECES) + _LAST


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        came = self._came = self._came + data
        head, gap, body = came.partition(b"\r\n\r\n")
        if not gap:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(body) < int(length.split(b"\r\n", 1)[0]):
            return
        self._came = b""
        assert self._transport is not None
        if head.startswith(b"POST /paced/"):
            self._transport.write(_HEAD)
            self._piece(0, self._loop.time())
        else:
            self._transport.write(_BURST)

    def _piece(self, number: int, due_s: float) -> None:
        if self._transport is None:
            return
        if number == EVENTS:
            self._transport.write(_LAST)
            return
        self._transport.write(_PIECES[number])
        self._loop.call_at(due_s + PACE_S, self._piece, number + 1, due_s + PACE_S)


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
