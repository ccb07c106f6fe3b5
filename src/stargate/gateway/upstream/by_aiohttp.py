"""Asking by aiohttp: the tested alternative that is all library, at three times the CPU time."""

from __future__ import annotations

import asyncio
import io
import math
import select
import ssl

import aiohttp
from aiohttp.connector import Connection

from stargate.gateway.upstream.answer import Answer
from stargate.gateway.upstream.failure import CutError, UnsentError
from stargate.gateway.upstream.upstream import CONNECT_S, KEPT_S, PATIENT, Headers, Patience
from stargate.gateway.upstream.watch import Watch

_STALE_BORNE = 8
"""Connections in a row that are closed before anything is sent on them."""
_STREAM = "text/event-stream"
_REST_S = 0.05
_AT_ONCE_BYTES = 1 << 20
"""Larger bodies are written in parts, so that one request does not hold up the others."""
_NEVER = math.inf


class _StaleError(UnsentError):
    """The connection was closed, or spoken on, by the other side while it was idle."""


class _Request(aiohttp.ClientRequest):
    """Looks before it sends: the event loop may not have heard yet that a kept connection is closed."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        transport = conn.transport
        if transport is None or _readable(transport):
            raise _StaleError("closed", f"{self.url} closes connections before anything is sent")
        return await super().send(conn)


class _Response(aiohttp.ClientResponse):
    """Closes at once, and lets a connection rest after a stream.

    Closing drops what is still to be written, so nobody waits for a peer that does not read. The rest is for servers
    that close the connection after each stream without saying so, as llama.cpp's does: a request that is sent on it
    before that is heard of would be cut.
    """

    _started = False
    _ended_early = False
    """The body was there before the head was read."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        await super().start(connection)
        self._started = True
        if self._ended_early:
            self._release_connection()
        return self

    def _release_connection(self) -> None:
        connection = self._connection
        if not self._started:
            self._ended_early = True
        elif connection is not None and self.content_type == _STREAM:
            self._connection = None
            self._loop.call_later(_REST_S, connection.release)
        else:
            super()._release_connection()

    def close(self) -> None:
        connection = self.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        super().close()


def _readable(transport: asyncio.Transport) -> bool:
    """Whether there is anything to read on an idle connection: its end, or what nobody asked for."""
    file = transport.get_extra_info("socket").fileno()
    if file < 0:
        return True
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))


class AiohttpUpstream:
    """An `Upstream`, made and used in one event loop."""

    def __init__(self, connect_s: float = CONNECT_S) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"accept-encoding": "identity", "user-agent": "stargate"},
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_s, ceil_threshold=_NEVER),
            auto_decompress=False,
            request_class=_Request,
            response_class=_Response,
        )
        self._connect_s = connect_s
        self._loop = asyncio.get_running_loop()
        self._watch = Watch()

    async def send(
        self, url: str, headers: Headers, body: bytes | None, patience: Patience = PATIENT
    ) -> Answer:
        """See `Upstream.send`."""
        now_s = self._loop.time()
        head = _Head(now_s + min(self._connect_s + patience.first_byte_s, patience.total_s))
        self._watch.add(head)
        try:
            response = await self._ask(url, headers, body)
        except asyncio.CancelledError:
            if head.gave_up():
                raise CutError("silent", f"{url} does not begin to answer") from None
            raise
        finally:
            self._watch.drop(head)
        try:
            return _Answer(response, patience, now_s + patience.total_s, self._watch)
        except CutError:
            response.close()
            raise

    async def _ask(self, url: str, headers: Headers, body: bytes | None) -> aiohttp.ClientResponse:
        method = "GET" if body is None else "POST"
        data = body if body is None or len(body) <= _AT_ONCE_BYTES else io.BytesIO(body)
        for left in reversed(range(_STALE_BORNE)):
            try:
                return await self._session.request(
                    method, url, data=data, headers=headers, allow_redirects=False
                )
            except _StaleError:
                if not left:
                    raise
            except (aiohttp.ClientError, ConnectionError, ValueError) as fault:
                raise _failure(url, fault) from fault
        raise AssertionError("the last round returns or raises")

    async def close(self) -> None:
        """See `Upstream.close`."""
        await asyncio.sleep(_REST_S)  # connections that rest come back first
        await self._session.close()
        self._watch.close()


def _failure(url: str, fault: Exception) -> UnsentError | CutError:
    """What a failure before the head of an answer means."""
    match fault:
        case aiohttp.ConnectionTimeoutError():
            return UnsentError("timeout", f"{url} cannot be connected to in time")
        case ValueError():
            return UnsentError("malformed", f"no request can be made to {url}: {fault}")
        case aiohttp.ClientConnectorDNSError():
            return UnsentError("name", f"the host of {url} is not known")
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorError(os_error=ssl.SSLError()):
            return UnsentError("tls", f"{url} cannot be spoken to by TLS: {fault}")
        case aiohttp.ClientConnectorError():
            return UnsentError("refused", f"{url} cannot be connected to: {fault}")
        case aiohttp.ClientResponseError():
            return CutError("malformed", f"{url} answers with what is no HTTP: {fault.message}")
        case _:
            return CutError("reset", f"{url} broke the connection before it answered")


class _Head:
    """The wait for the head of an answer. What waits is the task that makes it."""

    __slots__ = ("_cancelled", "_end_s", "_rang", "_task")

    def __init__(self, end_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelled = task.cancelling()
        self._end_s = end_s
        self._rang = False

    def look(self, now_s: float) -> None:
        """See `Wait.look`."""
        if now_s >= self._end_s and not self._rang:
            self._rang = True
            self._task.cancel()

    def gave_up(self) -> bool:
        """Whether the task was cancelled by this wait alone: if so, it is cancelled no longer."""
        return self._rang and self._task.uncancel() <= self._cancelled


class _Answer(Answer):
    __slots__ = ("_content", "_end_s", "_limit_s", "_loop", "_patience", "_response", "_since_s", "_watch")

    def __init__(
        self, response: aiohttp.ClientResponse, patience: Patience, end_s: float, watch: Watch
    ) -> None:
        super().__init__(response.status, response.headers.get)
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._content = response.content
        self._patience = patience
        self._limit_s = patience.first_byte_s
        self._end_s = end_s
        self._since_s = self._loop.time()
        """Since when a piece is waited for."""
        self._watch = watch
        if not self._content.is_eof():
            watch.add(self)

    async def _piece(self) -> bytes:
        self._since_s = self._loop.time()
        try:
            piece = await self._content.readany()
        except (aiohttp.ClientError, ConnectionError) as fault:
            self._let_go()
            raise CutError("reset", f"{self._response.url} broke off in its answer: {fault}") from fault
        self._since_s = _NEVER
        self._limit_s = self._patience.idle_s
        if not piece:
            self._watch.drop(self)
        return piece

    async def close(self) -> None:
        """See `Answer.close`."""
        self._let_go()

    def _let_go(self) -> None:
        self._watch.drop(self)
        if not self._response.closed:
            self._response.close()

    def look(self, now_s: float) -> None:
        """See `Wait.look`."""
        if now_s >= self._end_s:
            limit = f"{self._patience.total_s:g} s"
            self._fail(CutError("late", f"{self._response.url} has not answered in {limit}"))
        elif now_s >= self._since_s + self._limit_s:
            self._fail(CutError("silent", f"{self._response.url} says nothing for {self._limit_s:g} s"))

    def _fail(self, fault: CutError) -> None:
        self._content.set_exception(fault)
        self._let_go()
