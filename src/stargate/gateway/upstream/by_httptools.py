"""Asking by connections of our own, whose answers httptools reads: the default, at a fraction of a client's cost.

A general client makes a session, a request, its URL, its headers and a response of each asking. What a gateway asks is
known beforehand but for a few headers and the body, so here it is one write and one read.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import aiohappyeyeballs

from stargate.gateway.upstream.answer import Answer
from stargate.gateway.upstream.failure import CutError, UnsentError
from stargate.gateway.upstream.line import Line, Reply
from stargate.gateway.upstream.upstream import CONNECT_S, KEPT_S, PATIENT, Headers, Patience
from stargate.gateway.upstream.watch import Watch

_STALE_BORNE = 8
"""Connections in a row that are closed before anything is sent on them."""
_STREAM = "text/event-stream"
_REST_S = 0.05
"""After a stream. llama.cpp's server, for one, closes the connection after each without saying so: a request that is
sent on it before that is heard of would be cut."""
_SWEEP_S = 1.0
_NAMES_S = 10.0
"""How long a name's addresses are believed."""
_TARGETS_KEPT = 4_096
_PATH = "/%:@!$&'()*+,;=~-._?"
_SECOND_TRY_S = 0.25
"""Until the next address of a name is tried beside the first."""
_NEVER = math.inf

_Origin = tuple[str, int, bool]
"""Host, port, TLS."""
_Address = tuple[int, int, int, str, tuple[object, ...]]


class _Target(NamedTuple):
    """A URL, taken apart."""

    origin: _Origin
    post: bytes
    """The first headers of a POST, as they go out."""
    get: bytes


class HttptoolsUpstream:
    """An `Upstream`, made and used in one event loop."""

    def __init__(self, connect_s: float = CONNECT_S) -> None:
        self._connect_s = connect_s
        self._loop = asyncio.get_running_loop()
        self._watch = Watch()
        self._targets: dict[str, _Target] = {}
        self._idle: dict[_Origin, list[Line]] = {}
        """Used last, taken first."""
        self._lines: dict[Line, _Origin] = {}
        self._names: dict[tuple[str, int], tuple[float, list[_Address]]] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(
        self, url: str, headers: Headers, body: bytes | None, patience: Patience = PATIENT
    ) -> Answer:
        """See `Upstream.send`."""
        now_s = self._loop.time()
        target = self._targets.get(url) or self._target(url)
        head = _head(url, target, headers, body)
        line = self._kept(target.origin) or await self._connected(url, target.origin)
        reply = line.ask(url, head, body or b"")
        wait = _Head(reply, now_s + min(self._connect_s + patience.first_byte_s, patience.total_s))
        self._watch.add(wait)
        try:
            while not reply.status and reply.fault is None:
                await _waited(self._loop, reply)
        except asyncio.CancelledError:
            line.abort()
            raise
        finally:
            self._watch.drop(wait)
        if reply.fault is not None and not reply.status:
            raise reply.fault
        try:
            return _Answer(reply, patience, now_s + patience.total_s, self._watch)
        except CutError as fault:
            reply.fail(fault)
            raise

    async def close(self) -> None:
        """See `Upstream.close`."""
        self._closed = True
        self._watch.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for line in list(self._lines):
            line.abort()
        await asyncio.sleep(0)

    # -- connections ----------------------------------------------------------------------------------------

    def _kept(self, origin: _Origin) -> Line | None:
        idle = self._idle.get(origin)
        while idle:
            line = idle.pop()
            if self._loop.time() - line.idle_s < KEPT_S and line.usable:
                return line
            line.abort()
        return None

    async def _connected(self, url: str, origin: _Origin) -> Line:
        for _ in range(_STALE_BORNE):
            try:
                async with asyncio.timeout(self._connect_s):
                    line = await self._connect(*origin)
            except (TimeoutError, OSError, ValueError) as fault:
                raise _unsent(url, fault) from fault
            self._lines[line] = origin
            if line.usable or (
                origin[2] and line.open
            ):  # a TLS session may begin with what the server says of it
                return line
            line.abort()
        raise UnsentError("closed", f"{url} closes connections before anything is sent")

    async def _connect(self, host: str, port: int, tls: bool) -> Line:  # noqa: FBT001
        addresses = await self._addresses(host, port)
        taken = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_SECOND_TRY_S, loop=self._loop
        )
        try:
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, line = await self._loop.create_connection(
                lambda: Line(self._let_go),
                sock=taken,
                ssl=self._context() if tls else None,
                server_hostname=host if tls else None,
            )
        except BaseException:
            taken.close()
            raise
        return line

    async def _addresses(self, host: str, port: int) -> list[_Address]:
        until_s, found = self._names.get((host, port), (0.0, []))
        if self._loop.time() >= until_s:
            found = list(await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            if len(self._names) >= _TARGETS_KEPT:
                self._names.clear()
            self._names[host, port] = (self._loop.time() + _NAMES_S, found)
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _let_go(self, line: Line, reply: Reply | None) -> None:
        """A connection may be used again after an answer, or is closed."""
        if reply is None:
            origin = self._lines.pop(line, None)
            idle = self._idle.get(origin) if origin is not None else None
            if idle is not None and line in idle:
                idle.remove(line)
        elif reply.fields.get("content-type", "").startswith(_STREAM):
            self._loop.call_later(_REST_S, self._keep, line)
        else:
            self._keep(line)

    def _keep(self, line: Line) -> None:
        origin = self._lines.get(line)
        if origin is None or self._closed:
            line.abort()
            return
        line.idle_s = self._loop.time()
        self._idle.setdefault(origin, []).append(line)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        before_s = self._loop.time() - KEPT_S
        for origin, idle in list(self._idle.items()):
            while idle and idle[0].idle_s <= before_s:
                idle.pop(0).abort()
            if not idle:
                del self._idle[origin]
        self._sweeping = self._loop.call_later(_SWEEP_S, self._sweep) if self._idle else None

    # -- requests -------------------------------------------------------------------------------------------

    def _target(self, url: str) -> _Target:
        if len(self._targets) >= _TARGETS_KEPT:
            self._targets.clear()
        try:
            target = self._targets[url] = _target(url)
        except ValueError as fault:
            raise UnsentError("malformed", f"no request can be made to {url}: {fault}") from fault
        return target


def _target(url: str) -> _Target:
    """Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("it names no host by http or https")
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    name = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        name += f":{port}"
    path = quote(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", safe=_PATH)
    front = f"{path} HTTP/1.1\r\nhost: {name}\r\naccept: */*\r\naccept-encoding: identity\r\nuser-agent: stargate\r\n"
    return _Target((host, port, tls), f"POST {front}".encode(), f"GET {front}".encode())


def _head(url: str, target: _Target, headers: Headers, body: bytes | None) -> bytes:
    """Raises UnsentError."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if lines.count("\r") + lines.count("\n") != 2 * len(headers) or "\0" in lines:
        raise UnsentError("malformed", f"no request can be made to {url}: a header breaks its line")
    try:
        said = lines.encode("latin-1")
    except UnicodeError as fault:
        raise UnsentError("malformed", f"no request can be made to {url}: {fault}") from fault
    if body is None:
        return b"%b%b\r\n" % (target.get, said)
    return b"%b%bcontent-length: %d\r\n\r\n" % (target.post, said, len(body))


def _unsent(url: str, fault: Exception) -> UnsentError:
    """What a failure to connect means."""
    match fault:
        case TimeoutError():
            return UnsentError("timeout", f"{url} cannot be connected to in time")
        case socket.gaierror():
            return UnsentError("name", f"the host of {url} is not known")
        case ssl.SSLError() | ssl.CertificateError():
            return UnsentError("tls", f"{url} cannot be spoken to by TLS: {fault}")
        case ValueError():
            return UnsentError("malformed", f"no request can be made to {url}: {fault}")
        case _:
            return UnsentError("refused", f"{url} cannot be connected to: {fault}")


async def _waited(loop: asyncio.AbstractEventLoop, reply: Reply) -> None:
    waiter = reply.waiter = loop.create_future()
    try:
        await waiter
    finally:
        reply.waiter = None


class _Head:
    """The wait for the head of an answer."""

    __slots__ = ("_end_s", "_reply")

    def __init__(self, reply: Reply, end_s: float) -> None:
        self._reply = reply
        self._end_s = end_s

    def look(self, now_s: float) -> None:
        """See `Wait.look`."""
        if now_s >= self._end_s:
            self._reply.fail(CutError("silent", f"{self._reply.url} does not begin to answer"))


class _Answer(Answer):
    __slots__ = ("_end_s", "_limit_s", "_loop", "_patience", "_reply", "_since_s", "_watch")

    def __init__(self, reply: Reply, patience: Patience, end_s: float, watch: Watch) -> None:
        super().__init__(reply.status, reply.fields.get)
        self._loop = asyncio.get_running_loop()
        self._reply = reply
        self._patience = patience
        self._limit_s = patience.first_byte_s
        self._end_s = end_s
        self._since_s = _NEVER
        """Since when a piece is waited for."""
        self._watch = watch
        if not reply.ended:
            watch.add(self)

    async def _piece(self) -> bytes:
        reply = self._reply
        if reply.dry():
            self._since_s = self._loop.time()
            while reply.dry():
                await _waited(self._loop, reply)
            self._since_s = _NEVER
        data = reply.take()
        if not data:
            self._watch.drop(self)
            if reply.fault is not None:
                raise reply.fault
        self._limit_s = self._patience.idle_s
        return data

    async def close(self) -> None:
        """See `Answer.close`."""
        self._watch.drop(self)
        reply = self._reply
        if not reply.ended:
            reply.fail(CutError("reset", f"the answer of {reply.url} was let go"))

    def look(self, now_s: float) -> None:
        """See `Wait.look`."""
        reply = self._reply
        if now_s >= self._end_s:
            limit = f"{self._patience.total_s:g} s"
            reply.fail(CutError("late", f"{reply.url} has not answered in {limit}"))
        elif now_s >= self._since_s + self._limit_s:
            reply.fail(CutError("silent", f"{reply.url} says nothing for {self._limit_s:g} s"))
