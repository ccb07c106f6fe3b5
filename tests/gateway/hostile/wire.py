"""Requests written byte by byte, as no client would."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import suppress
from typing import Any

import msgspec

from tests.gateway.alone import TOKEN

WAIT_S = 20.0
HEAD = b"Host: gateway\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD
BODY = b'{"model":"tiny","messages":[{"role":"user","content":"hello"}]}'
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: gateway\r\n\r\n"


class Said(msgspec.Struct):
    """An answer; status 0: the connection was closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """In OpenAI's shape."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        assert set(found) == {"message", "type", "param", "code"}
        return found


def length(count: int) -> bytes:
    """The header."""
    return b"Content-Length: %d\r\n" % count


def whole(body: bytes = BODY, *more: bytes) -> bytes:
    """A chat with such a body."""
    return b"".join((CHAT, *more, length(len(body)), b"\r\n", body))


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def dial(port: int, *, buffer_bytes: int = 0) -> socket.socket:
    """A connection; with a buffer, one that takes in no more than that by itself."""
    made = socket.socket()
    if buffer_bytes:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    made.settimeout(WAIT_S)
    made.connect(("127.0.0.1", port))
    return made


def said(peer: socket.socket) -> Said:
    """The next answer. What is after it on the connection may be lost."""
    response = http.client.HTTPResponse(peer)
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ConnectionError):
        return Said(0, {}, b"")
    finally:
        response.close()
    return Said(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def send(port: int, data: bytes) -> Said:
    """Say this, and hear the answer."""
    with dial(port) as peer:
        with suppress(BrokenPipeError, ConnectionResetError):  # it was refused before it was all said
            peer.sendall(data)
        return said(peer)


def closed(peer: socket.socket) -> bool:
    """Whether the other side has closed, having said what it may; waits for it."""
    try:
        while peer.recv(65_536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
