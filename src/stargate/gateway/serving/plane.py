"""What is the control plane's to answer, as files and batches: passed on as it is, and its answer passed back.

The control plane checks the key again, and finds out what is its own. Bodies pass through in both directions without
being held.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec

from stargate.gateway.serving.connections import UNREAD_BYTES
from stargate.gateway.serving.refusal import Headers, Refusal

PLANE = frozenset({"batches", "files"})
"""What of the paths below `/v1/` is the control plane's."""
METHODS = frozenset({"GET", "POST", "DELETE"})
_THERE = ("authorization", "accept", "content-type", "content-length", "idempotency-key")
"""Headers that are worth passing on."""
_BACK = ("content-type", "content-length", "content-disposition")
CONNECT_S = 5.0
FIRST_LOOK_S, LAST_LOOK_S = 0.001, 0.05
"""How long after one another it is looked whether a client has taken what it was sent."""
ERROR_BYTES = 64 << 10


class _Fault(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""
    remedy: str = ""
    problems: list[dict[str, Any]] = []


class _Refused(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


_REFUSED = msgspec.json.Decoder(_Refused)
_STATUS = {422: 400}
"""What OpenAI's clients call the same."""


class Plane:
    """One worker's way to its control plane."""

    def __init__(
        self, server: str, idle_s: float, send_s: float, unread_bytes: Callable[[str], int | None]
    ) -> None:
        """`server`: its address; empty: there is none. The next two bound silence there, and of the client.

        `unread_bytes`: what a client has not taken, by its address.
        """
        self._unread_bytes = unread_bytes
        self._server = server.rstrip("/")
        self._idle_s = idle_s
        self._send_s = send_s
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, scope: Any, proto: Any, request: str) -> int:
        """Answer one request. Gives the status. Raises Refusal."""
        if not self._server:
            raise Refusal(
                404, "not_found", "this gateway has no control plane, so it has no files and no batches"
            )
        if scope.method not in METHODS:
            allowed = ", ".join(sorted(METHODS))
            raise Refusal(
                405, "method_not_allowed", f"{scope.path} answers {allowed}", headers=[("allow", allowed)]
            )
        headers = {name: value for name in _THERE if (value := scope.headers.get(name)) is not None}
        url = f"{self._server}{scope.path}" + (f"?{scope.query_string}" if scope.query_string else "")
        try:
            async with self._client().request(
                scope.method,
                url,
                data=_pieces(proto, self._send_s) if scope.method == "POST" else None,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                if answer.status >= 300:
                    raise _refused(answer.status, await answer.content.read(ERROR_BYTES))
                await self._back(answer, proto, request, scope.client)
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            says = f"the control plane cannot be asked now: {str(error) or type(error).__name__}"
            raise Refusal(503, "no_control_plane", says, retry_s=2) from None

    async def close(self) -> None:
        """Let go."""
        if self._session is not None:
            await self._session.close()

    async def _back(self, answer: aiohttp.ClientResponse, proto: Any, request: str, client: str) -> None:
        """As fast as the client takes it."""
        headers: Headers = [("x-request-id", request)]
        headers += [(name, value) for name in _BACK if (value := answer.headers.get(name)) is not None]
        transport = proto.response_stream(answer.status, headers)
        try:
            async for piece in answer.content.iter_chunked(UNREAD_BYTES):
                async with asyncio.timeout(self._send_s):
                    await transport.send_bytes(piece)
                    pause_s = FIRST_LOOK_S
                    while len(piece) == UNREAD_BYTES and self._unread_bytes(client):
                        await asyncio.sleep(pause_s)
                        pause_s = min(LAST_LOOK_S, 2 * pause_s)
        except Exception:  # noqa: BLE001  # the server's errors of a closed connection share no other base
            return  # what arrives is shorter than was announced

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=self._idle_s)
            self._session = aiohttp.ClientSession(
                timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=0),
                auto_decompress=False,
            )
        return self._session


async def _pieces(proto: Any, patience_s: float) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(patience_s) as bound:
        async for piece in proto:
            bound.reschedule(None)
            yield piece
            bound.reschedule(clock() + patience_s)


def _refused(status: int, body: bytes) -> Refusal:
    """What the control plane says, in the shape that OpenAI's clients know."""
    try:
        fault = _REFUSED.decode(body).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        fault = _Fault()
    problems = "; ".join(str(each.get("message", "")) for each in fault.problems[:8])
    said = "; ".join(filter(None, (problems or fault.message, fault.remedy)))
    path = next((str(each["path"]) for each in fault.problems if each.get("path")), None)
    waits = status in {429, 503}
    return Refusal(
        _STATUS.get(status, status if status >= 400 else 502),
        fault.type or "control_plane",
        said or f"the control plane answers {status}",
        param=path,
        retry_s=2 if waits else None,
    )
