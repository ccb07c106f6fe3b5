"""Requests in shapes that proxies have been fooled with: refused, or read in the one way that is safe."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest

from tests.gateway.alone import Alone
from tests.gateway.hostile.wire import (
    BODY,
    CHAT,
    CHUNKED,
    HEAD,
    HEALTH,
    chunk,
    closed,
    dial,
    length,
    said,
    send,
    whole,
)  # fmt: skip

CHUNKS = chunk(BODY) + b"0\r\n\r\n"
UNREADABLE = {
    "two lengths": CHAT + length(len(BODY)) + length(3) + b"\r\n" + BODY,
    "a list of lengths": CHAT + b"Content-Length: 5, 5\r\n\r\nabcde",
    "a length below zero": CHAT + b"Content-Length: -5\r\n\r\nabcde",
    "a length with a sign": CHAT + b"Content-Length: +5\r\n\r\nabcde",
    "a length in hex": CHAT + b"Content-Length: 0x5\r\n\r\nabcde",
    "a length in another script": CHAT + "Content-Length: ²\r\n\r\nabcde".encode(),
    "a length beyond numbers": CHAT + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\nabcde",
    "a folded header": CHAT + b"X-A: b\r\n c\r\n" + length(len(BODY)) + b"\r\n" + BODY,
    "a space before the colon": CHAT + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "an unknown coding": CHAT + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "chunked not last": CHAT + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + CHUNKS,
    "identity": CHAT + b"Transfer-Encoding: identity\r\n" + length(len(BODY)) + b"\r\n" + BODY,
    "chunks in HTTP/1.0": CHAT.replace(b"/1.1", b"/1.0") + CHUNKED + b"\r\n" + CHUNKS,
    "a NUL in a header": CHAT + b"X-A: a\0b\r\n" + length(len(BODY)) + b"\r\n" + BODY,
    "a CR in a header": CHAT + b"X-A: a\rX-B: b\r\n" + length(len(BODY)) + b"\r\n" + BODY,
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/1.2": CHAT.replace(b"/1.1", b"/1.2") + length(len(BODY)) + b"\r\n" + BODY,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
}
TOO_LARGE = {
    "a header of a megabyte": CHAT
    + b"X-A: "
    + b"a" * (1 << 20)
    + b"\r\n"
    + length(len(BODY))
    + b"\r\n"
    + BODY,
    "a thousand headers": CHAT + b"".join(b"X-%d: 1\r\n" % n for n in range(1_000)) + b"\r\n",
    "a header without end": CHAT + b"X-A: " + b"a" * (8 << 20),
}
SERVED = {
    "as it should be": whole(),
    "equal lengths": CHAT + length(len(BODY)) + length(len(BODY)) + b"\r\n" + BODY,
    "chunks": CHAT + CHUNKED + b"\r\n" + CHUNKS,
    "chunks of a byte": CHAT + CHUNKED + b"\r\n" + b"".join(chunk(bytes([b])) for b in BODY) + b"0\r\n\r\n",
    "a chunk's extension": CHAT + CHUNKED + b"\r\n%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    "trailers": CHAT + CHUNKED + b"\r\n" + chunk(BODY) + b"0\r\nAuthorization: none\r\n\r\n",
    "HTTP/1.0": whole().replace(b"/1.1", b"/1.0"),
    "another host": whole().replace(b" /v1", b" http://127.0.0.1:1/v1"),
    "escapes": whole().replace(b"/v1", b"/%76%31"),
    "a query": whole().replace(b"completions HTTP", b"completions?a=b HTTP"),
    "bytes in a header": whole(BODY, b"X-A: \xff\xfe\r\n"),
}
BROKEN_CHUNKS = {
    "a size beyond numbers": b"f" * 17 + b"\r\nabc",
    "a size below zero": b"-1\r\nabc",
    "a size too small": b"2\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a bare LF": b"%x\n%b\n0\n\n" % (len(BODY), BODY),
    "an extension of a megabyte": b"%x;%b\r\n%b\r\n0\r\n\r\n" % (len(BODY), b"a" * (1 << 20), BODY),
}
PATHS = {
    b"//v1/chat/completions": 404, b"/v1/../v1/chat/completions": 404, b"/%2e%2e/v1/chat/completions": 404,
    b"/v1/chat/completions/": 404, b"/V1/chat/completions": 404, b"/v1/chat%2fcompletions%00": 404,
    b"/v1/models/": 405, b"/v1/models/%0d%0aX-A:%20b": 405, b"/health/../v1/models": 404, b"/" + b"a" * 60_000: 404,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_closed(
    gateway: Alone, name: str
) -> None:
    """Nothing behind it is taken for a request."""
    with dial(gateway.port) as peer:
        peer.sendall(UNREADABLE[name] + HEALTH)
        assert said(peer).status in (400, 0)
        assert closed(peer)


@pytest.mark.parametrize("name", sorted(TOO_LARGE))
def test_headers_have_a_bound(gateway: Alone, name: str) -> None:
    """They are not kept beyond it."""
    assert send(gateway.port, TOO_LARGE[name]).status in (431, 0)


@pytest.mark.parametrize("name", sorted(SERVED))
def test_what_is_unusual_but_clear_is_served(gateway: Alone, name: str) -> None:
    """By the endpoint that the routes name, whatever the request says of hosts."""
    assert send(gateway.port, SERVED[name]).status == 200


@pytest.mark.parametrize("name", sorted(BROKEN_CHUNKS))
def test_broken_chunks_are_the_end_of_a_connection(gateway: Alone, name: str) -> None:
    """What follows them is not read."""
    with dial(gateway.port) as peer:
        peer.sendall(CHAT + CHUNKED + b"\r\n" + BROKEN_CHUNKS[name] + HEALTH)
        assert said(peer).status == 400
        assert closed(peer)


@pytest.mark.parametrize("first", ["length", "chunks"])
def test_with_both_lengths_the_chunks_count_and_nothing_follows(gateway: Alone, first: str) -> None:
    """A request cannot be hidden in the body of another."""
    told = [length(4), CHUNKED]
    told = told if first == "length" else told[::-1]
    with dial(gateway.port) as peer:
        peer.sendall(CHAT + b"".join(told) + b"\r\n" + CHUNKS + HEALTH)
        assert said(peer).status == 200
        assert closed(peer)


@pytest.mark.parametrize("path", sorted(PATHS))
def test_paths_are_taken_as_they_are(gateway: Alone, path: bytes) -> None:
    """Nothing is put right that is not right."""
    answer = send(gateway.port, whole().replace(b"/v1/chat/completions", path))
    assert answer.status == PATHS[path]
    assert answer.error["message"]
    assert "x-a" not in answer.headers


@pytest.mark.parametrize("method", ["BREW", "CONNECT", "DELETE", "OPTIONS", "PATCH", "PUT", "TRACE"])
def test_other_methods_are_refused(gateway: Alone, method: str) -> None:
    """Also that which would make a proxy of it."""
    target = b"127.0.0.1:1" if method == "CONNECT" else b"/v1/models"
    answer = send(gateway.port, method.encode() + b" " + target + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert answer.status == (404 if method == "CONNECT" else 405)


def test_upgrades_are_not_taken_up(gateway: Alone) -> None:
    """Neither to web sockets nor to HTTP/2."""
    for said_so in (b"websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13",
                    b"h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"):  # fmt: skip
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + said_so + b"\r\n\r\n"
        answer = send(gateway.port, b"GET /health HTTP/1.1\r\nHost: gateway\r\n" + upgrade)
        assert answer.status == 200


def test_who_waits_to_be_told_to_go_on_is_told(gateway: Alone) -> None:
    """Before the body is there."""
    with dial(gateway.port) as peer:
        peer.sendall(CHAT + length(len(BODY)) + b"Expect: 100-continue\r\n\r\n")
        assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(BODY)
        assert said(peer).status == 200


def test_requests_that_come_at_once_are_answered_in_their_order(gateway: Alone) -> None:
    """Each by itself."""
    with dial(gateway.port) as peer:
        peer.sendall(
            whole() + HEALTH + whole(b"[]") + HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        heard = b""
        while piece := peer.recv(65_536):
            heard += piece
        assert re.findall(rb"HTTP/1\.1 (\d+)", heard) == [b"200", b"200", b"400", b"200"]


@pytest.mark.parametrize("told", [length(1_000), CHUNKED], ids=["length", "chunks"])
def test_a_body_a_byte_a_second_is_not_waited_for(gateway: Alone, told: bytes) -> None:
    """Others go on meanwhile."""
    with dial(gateway.port) as peer:
        peer.sendall(CHAT + told + b"\r\n" + (b"5\r\n{" if told == CHUNKED else b"{"))
        begin_s = time.monotonic()
        assert send(gateway.port, whole()).status == 200
        answer = said(peer)
        assert (answer.status, answer.error["code"]) == (408, "slow_request")
        assert time.monotonic() - begin_s < 10
        assert closed(peer)


@pytest.mark.slow
def test_heads_that_do_not_end_are_not_waited_for(gateway: Alone) -> None:
    """Nor who says nothing at all."""
    peers = [dial(gateway.port) for _ in range(3)]
    try:
        peers[1].sendall(CHAT)
        peers[2].sendall(HEALTH)
        assert said(peers[2]).status == 200
        for peer in peers:
            peer.settimeout(45)
            assert closed(peer)
    finally:
        for peer in peers:
            peer.close()


@pytest.mark.parametrize(
    "told", [length(64 << 20), CHUNKED, length(4) + CHUNKED], ids=["length", "chunks", "both"]
)
def test_a_body_beyond_the_limit_is_not_held(gateway: Alone, told: bytes) -> None:
    """Whatever was said of its length."""
    before_bytes = gateway.worker.memory_info().rss
    piece = b" " * (1 << 20)
    with dial(gateway.port) as peer:
        with suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(CHAT + told + b"\r\n")
            for _ in range(64):
                peer.sendall(chunk(piece) if CHUNKED in told else piece)
        assert said(peer).status in (413, 0)
    assert gateway.worker.memory_info().rss - before_bytes < 24 << 20
