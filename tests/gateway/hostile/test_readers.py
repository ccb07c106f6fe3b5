"""Clients that ask and do not read: they cost little, hold up nobody, and are let go."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable

import pytest

from tests.gateway.alone import Alone
from tests.gateway.hostile.wire import WAIT_S, dial, said, send, whole

READERS = 32
WHOLE_BYTES = 6 << 20
"""More than a whole answer of these tests."""
HELD_BYTES = 2 << 20
"""The most that the worker may hold of each who does not read."""


def chat(*, stream: bool, tokens: int, **more: object) -> bytes:
    asked = {"model": "tiny", "messages": [], "stream": stream, "mock": f"tokens={tokens}", **more}
    return whole(json.dumps(asked).encode())


def until(what: Callable[[], bool]) -> None:
    before_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < before_s, "it never came to be"
        time.sleep(0.05)


def sockets(gateway: Alone) -> int:
    """Connections of clients that the worker holds."""
    return sum(
        each.laddr.port == gateway.port and each.status != "LISTEN"
        for each in gateway.worker.net_connections("tcp")
    )


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_who_does_not_read_costs_little_and_is_let_go(gateway: Alone, stream: bool) -> None:
    """An answer of megabytes each: not one of them is held whole, and others are answered meanwhile."""
    before_bytes, attempts = gateway.worker.memory_info().rss, len(gateway.attempts())
    peers: list[socket.socket] = []
    try:
        for _ in range(READERS):
            peers.append(dial(gateway.port, buffer_bytes=4_096))
            peers[-1].sendall(chat(stream=stream, tokens=100_000 if stream else 1_000_000))
        assert send(gateway.port, whole()).status == 200
        until(lambda: not sockets(gateway))
        until(lambda: gateway.get("/health/ready")[1]["open_requests"] == 0)
        grown_bytes = gateway.worker.memory_info().rss - before_bytes
        # Whole answers come in whole, perhaps all at the same time.
        assert grown_bytes < READERS * (HELD_BYTES if stream else HELD_BYTES + WHOLE_BYTES)
    finally:
        for peer in peers:
            peer.close()
    made = gateway.attempts()[attempts:]
    assert len(made) == READERS + 1
    outcomes = {
        settled.outcome for _, settled in made if settled is not None and settled.tokens.output_tokens > 99
    }
    assert outcomes == ({"aborted"} if stream else {"done"})


def test_who_reads_slowly_has_the_whole_answer(gateway: Alone) -> None:
    """Also where it takes longer in all than one may leave a piece unread."""
    with dial(gateway.port, buffer_bytes=16_384) as peer:
        peer.sendall(chat(stream=True, tokens=6_000, stream_options={"include_usage": True}))
        for _ in range(20):
            assert peer.recv(16_384)
            time.sleep(0.1)
        heard = b""
        while not heard.endswith(b"0\r\n\r\n"):
            heard += peer.recv(1 << 20)
    assert b'"completion_tokens":6000' in heard.replace(b" ", b"")
    assert b"[DONE]" in heard


def test_a_large_answer_arrives_byte_for_byte(gateway: Alone) -> None:
    """It goes out in parts, and its length is told."""
    with dial(gateway.port) as peer:
        peer.sendall(chat(stream=False, tokens=300_000))
        answer = said(peer)
        assert int(answer.headers["content-length"]) == len(answer.body)
        text = json.loads(answer.body)["choices"][0]["message"]["content"]
        assert len(text.split()) == 300_000
        peer.sendall(whole())
        assert said(peer).status == 200
