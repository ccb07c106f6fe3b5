"""Asking by pyreqwest: Rust's reqwest, on a thread of its own. A piece is what the endpoint wrote as one chunk.

Two things fall short (0.15.1). A request that is cancelled before the head of its answer lives on, on its thread,
until the head comes or its total time is over: only then the endpoint notices. And a connection is used again right
after a stream, so where a server closes it without having said so, the next request may be cut.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DecodeError, PyreqwestError, RequestTimeoutError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from stargate.gateway.upstream.answer import Answer
from stargate.gateway.upstream.failure import CutError, UnsentError
from stargate.gateway.upstream.upstream import CONNECT_S, KEPT_S, PATIENT, Headers, Patience

_AHEAD_BYTES = 0
"""How much of a body is read before its head is given: pieces are to come as they are made."""
_CONNECTING = "client error (Connect)"
"""The cause that marks what failed before anything was sent: `ConnectError` is also raised for what failed after."""


class PyreqwestUpstream:
    """An `Upstream`."""

    def __init__(self, connect_s: float = CONNECT_S) -> None:
        builder = ClientBuilder().no_proxy().follow_redirects(False).referer(False)
        builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
        builder = builder.user_agent("stargate").default_headers({"accept-encoding": "identity"})
        builder = builder.connect_timeout(timedelta(seconds=connect_s))
        self._client: Client = builder.pool_idle_timeout(timedelta(seconds=KEPT_S)).build()
        self._connect_s = connect_s

    async def send(
        self, url: str, headers: Headers, body: bytes | None, patience: Patience = PATIENT
    ) -> Answer:
        """See `Upstream.send`."""
        try:
            builder = self._client.get(url) if body is None else self._client.post(url).body_bytes(body)
            builder = builder.headers(headers).timeout(timedelta(seconds=patience.total_s))
            request = builder.streamed_read_buffer_limit(_AHEAD_BYTES).build_streamed()
            async with asyncio.timeout(self._connect_s + patience.first_byte_s):
                response = await request.__aenter__()
        except (PyreqwestError, TimeoutError, ValueError) as fault:
            raise _failure(url, fault) from fault
        try:
            return _Answer(url, request, response, patience)
        except CutError:
            await request.__aexit__(None, None, None)
            raise

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self._client.close()


def _failure(url: str, fault: Exception) -> UnsentError | CutError:
    """What a failure before the head of an answer means."""
    causes = _causes(fault)
    if isinstance(fault, ValueError):
        return UnsentError("malformed", f"no request can be made to {url}: {causes[-1]}")
    if "dns error" in causes:
        return UnsentError("name", f"the host of {url} is not known")
    if _CONNECTING in causes:
        if isinstance(fault, TimeoutError):
            return UnsentError("timeout", f"{url} cannot be connected to in time")
        plain = any(cause.startswith("tcp ") for cause in causes)
        return UnsentError("refused" if plain else "tls", f"{url} cannot be connected to: {causes[-1]}")
    if isinstance(fault, DecodeError):
        return CutError("malformed", f"{url} answers with what is no HTTP: {causes[-1]}")
    if isinstance(fault, TimeoutError):
        return CutError("silent", f"{url} does not begin to answer")
    return CutError("reset", f"{url} broke the connection before it answered")


def _causes(fault: BaseException) -> list[str]:
    details = getattr(fault, "details", None) or {}
    return [str(cause["message"]) for cause in details.get("causes") or ()] or [str(fault)]


class _Answer(Answer):
    __slots__ = ("_limit_s", "_over", "_patience", "_reader", "_request", "_url")

    def __init__(self, url: str, request: StreamRequest, response: Response, patience: Patience) -> None:
        super().__init__(response.status, response.get_header)
        self._url = url
        self._request = request
        self._reader = response.body_reader
        self._patience = patience
        self._limit_s = patience.first_byte_s
        self._over = False

    async def _piece(self) -> bytes:
        try:
            async with asyncio.timeout(self._limit_s):
                piece = await self._reader.read_chunk()
        except (PyreqwestError, TimeoutError) as fault:
            await self.close()
            raise self._cut(fault) from fault
        self._limit_s = self._patience.idle_s
        if piece is None:
            await self.close()
            return b""
        return piece.to_bytes()

    def _cut(self, fault: Exception) -> CutError:
        if isinstance(fault, RequestTimeoutError):
            return CutError("late", f"{self._url} has not answered in {self._patience.total_s:g} s")
        if isinstance(fault, TimeoutError):
            return CutError("silent", f"{self._url} says nothing for {self._limit_s:g} s")
        return CutError("reset", f"{self._url} broke off in its answer: {_causes(fault)[-1]}")

    async def close(self) -> None:
        """See `Answer.close`."""
        if not self._over:
            self._over = True
            await self._request.__aexit__(None, None, None)
