"""One connection to an endpoint, and what comes back on it: HTTP/1.1, one request at a time, read by httptools."""

from __future__ import annotations

import asyncio
import math
import select
from collections.abc import Callable
from typing import cast

import httptools

from stargate.gateway.upstream.answer import PASSED_ON
from stargate.gateway.upstream.failure import CutError

AHEAD_BYTES = 256 << 10
"""Of an answer that nobody takes: beyond it the connection is not read."""
DRY_LIMIT_BYTES = 128 << 10
"""Of anything that is no body, as headers, without a byte of body between."""
_PART_BYTES = 256 << 10
"""Of a large body: it is written in parts, so that one request does not hold up the others."""
_KEPT = {
    name.encode(): name for name in (*PASSED_ON, "content-encoding", "content-length", "transfer-encoding")
}
_MISREAD = (httptools.HttpParserError, httptools.HttpParserUpgrade)


class Reply:
    """What is answered to one request, until it is read."""

    __slots__ = ("ended", "fault", "fields", "line", "pieces", "size", "status", "url", "waiter")

    def __init__(self, url: str, line: Line) -> None:
        self.url = url
        self.line = line
        self.status = 0
        """0: the head has not come."""
        self.fields: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.size = 0
        self.ended = False
        self.fault: CutError | None = None
        self.waiter: asyncio.Future[None] | None = None

    def dry(self) -> bool:
        """Nothing is there to take, and something may come."""
        return not self.pieces and not self.ended and self.fault is None

    def wake(self) -> None:
        """Something has come: whoever waits looks again."""
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def fail(self, fault: CutError) -> None:
        """It comes to no end. What has come of it is still given."""
        if self.fault is None and not self.ended:
            self.fault = fault
            self.line.abort()
            self.wake()

    def take(self) -> bytes:
        """What has come since."""
        pieces = self.pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.pieces = []
        if self.size > AHEAD_BYTES and not self.ended:
            self.line.read_on()
        self.size = 0
        return data


class Line(asyncio.Protocol):
    """A connection. `let_go` is told of the answer after which it may be used again; None: it is closed."""

    __slots__ = (
        "_aborted", "_bare", "_dry", "_held", "_let_go", "_parser", "_paused", "_poll", "_reply", "_rest",
        "_transport", "idle_s",
    )  # fmt: skip

    def __init__(self, let_go: Callable[[Line, Reply | None], None]) -> None:
        self._let_go = let_go
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._parser = httptools.HttpResponseParser(self)
        self._reply: Reply | None = None
        self._rest = memoryview(b"")
        """Of a large body, not yet written."""
        self._paused = False
        """Nothing more may be written now."""
        self._held = False
        """Nothing more is read now."""
        self._aborted = False
        self._dry = 0
        self._bare = False
        """The body ends with the connection."""
        self.idle_s = math.inf
        """Since when nothing is asked on it."""

    @property
    def open(self) -> bool:
        """As far as the event loop has heard."""
        return self._transport is not None and not self._aborted

    @property
    def usable(self) -> bool:
        """Nothing has come on it that nobody asked for, nor its end. The event loop may not have heard of it yet."""
        return self.open and not self._poll.poll(0)

    def ask(self, url: str, head: bytes, body: bytes) -> Reply:
        """Send a request on a usable line."""
        transport = self._transport
        assert transport is not None
        assert self._reply is None
        reply = self._reply = Reply(url, self)
        self._dry = 0
        if len(body) <= _PART_BYTES:
            transport.write(head + body)
        else:
            self._rest = memoryview(body)
            transport.write(head)
            self._write_on()
        return reply

    def abort(self) -> None:
        """Close at once: what is still to be written is dropped, and nobody waits for a peer that does not read."""
        if self._transport is not None and not self._aborted:
            self._aborted = True
            self._transport.abort()

    def read_on(self) -> None:
        """What had come was taken."""
        if self._held and self._transport is not None:
            self._held = False
            self._transport.resume_reading()

    def _write_on(self) -> None:
        transport = self._transport
        if transport is None or self._paused or not self._rest:
            return
        part, self._rest = self._rest[:_PART_BYTES], self._rest[_PART_BYTES:]
        transport.write(part)
        if self._rest and not self._paused:
            asyncio.get_running_loop().call_soon(self._write_on)

    # -- called by the transport ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = True

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = False
        self._write_on()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        reply = self._reply
        if reply is None:
            self.abort()  # what comes unasked belongs to nobody
            return
        self._dry += len(data)
        try:
            self._parser.feed_data(data)
        except _MISREAD as fault:
            self._misread(reply, str(fault))
            return
        if reply.ended:
            return
        if self._dry > DRY_LIMIT_BYTES:
            self._misread(reply, f"{self._dry:,} bytes of headers")
            return
        if reply.pieces:
            reply.wake()
            if reply.size > AHEAD_BYTES and self._transport is not None:
                self._held = True
                self._transport.pause_reading()

    def _misread(self, reply: Reply, says: str) -> None:
        if reply.ended:
            self.abort()  # its answer is whole; what came after it is not ours
        else:
            reply.fail(CutError("malformed", f"{reply.url} answers with what is no HTTP: {says}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport = None
        reply, self._reply = self._reply, None
        self._rest = memoryview(b"")
        self._let_go(self, None)
        if reply is None:
            return
        if self._bare and exc is None and reply.status:
            reply.ended = True
            reply.wake()
        elif reply.status:
            reply.fail(CutError("reset", f"{reply.url} broke off in its answer"))
        else:
            reply.fail(CutError("reset", f"{reply.url} broke the connection before it answered"))

    # -- called by the parser -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """See httptools."""
        if self._reply is None:  # behind a whole answer
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools. Of trailers nothing is kept."""
        reply, kept = self._reply, _KEPT.get(name.lower())
        if kept is not None and reply is not None and not reply.status:
            reply.fields.setdefault(kept, value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """See httptools."""
        reply = self._reply
        if reply is None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            reply.fields.clear()
            return
        reply.status = status
        self._bare = not reply.fields.keys() & {"content-length", "transfer-encoding"}
        reply.wake()

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        reply = self._reply
        if reply is not None:
            self._dry = 0
            reply.pieces.append(body)
            reply.size += len(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        reply = self._reply
        if reply is None or not reply.status:
            return
        self._reply = None
        reply.ended = True
        reply.wake()
        if self._rest or not self._parser.should_keep_alive():
            self.abort()
        else:
            self._let_go(self, reply)
