"""A kept connection that is closed behind the event loop's back is noticed before anything is sent on it."""

from __future__ import annotations

import socket
import threading

import pytest

from stargate.gateway.upstream import CutError, UnsentError, Upstream
from stargate.gateway.upstream.by_pyreqwest import PyreqwestUpstream

pytestmark = pytest.mark.anyio

REQUEST = b'{"n": 1}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Peer:
    """A server that does what it is told, on the test's own thread: meanwhile the event loop sees nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(10)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1/x"
        self.requests: list[bytes] = []

    def answer(self, taken: socket.socket | None = None) -> socket.socket:
        """Take a connection, or a taken one, and answer the one request that comes on it."""
        taken = taken or self._socket.accept()[0]
        taken.settimeout(10)
        request = b""
        while not request.endswith(REQUEST):
            request += taken.recv(4_096)
        self.requests.append(request)
        taken.sendall(ANSWER)
        return taken

    def hang_up(self) -> None:
        """Take a connection and close it at once, until the listening socket is closed."""
        try:
            while True:
                self._socket.accept()[0].close()
        except OSError:
            return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


async def test_the_request_goes_out_on_a_new_connection(upstream: Upstream) -> None:
    if isinstance(upstream, PyreqwestUpstream):
        pytest.skip("pyreqwest hears of it on a thread of its own, perhaps a moment later")
    peer = Peer()
    taken: list[socket.socket] = []
    thread = threading.Thread(target=lambda: taken.append(peer.answer()))
    thread.start()
    assert await (await upstream.send(peer.url, [], REQUEST)).whole(10) == b"ok"
    thread.join()
    taken[0].close()
    thread = threading.Thread(target=lambda: taken.append(peer.answer()))
    thread.start()
    assert await (await upstream.send(peer.url, [], REQUEST)).whole(10) == b"ok"
    thread.join()
    assert len(peer.requests) == 2
    taken[1].close()
    peer.close()


async def test_an_endpoint_that_always_hangs_up_is_given_up(upstream: Upstream) -> None:
    peer = Peer()
    thread = threading.Thread(target=peer.hang_up)
    thread.start()
    with pytest.raises((UnsentError, CutError)):  # it may hang up before or after the request is on its way
        await upstream.send(peer.url, [], REQUEST)
    peer.close()
    thread.join()
