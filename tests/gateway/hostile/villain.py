"""An endpoint that means harm: answers every request with the bytes of a script, and counts who calls."""

from __future__ import annotations

import itertools
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

Script = Callable[[], Iterable[bytes]]


class Villain(socketserver.ThreadingTCPServer):
    """Its scripts are told apart by the first part of the path."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, scripts: dict[str, Script]) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.scripts = scripts
        self.heads: list[bytes] = []
        """Of the requests that came."""
        self.port: int = self.server_address[1]

    def url(self, name: str) -> str:
        """Of the endpoint that plays this script."""
        return f"http://127.0.0.1:{self.port}/{name}/v1"


class _Call(socketserver.BaseRequestHandler):
    server: Villain

    def handle(self) -> None:
        peer: socket.socket = self.request
        peer.settimeout(30)
        with suppress(OSError):
            head = _request(peer)
            self.server.heads.append(head)
            name = head.split(b" ", 2)[1].split(b"/")[1].decode("latin-1")
            for piece in self.server.scripts.get(name, lambda: ())():
                peer.sendall(piece)


def _request(peer: socket.socket) -> bytes:
    """Read a request with a length, if it has one, and give its head."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(65_536) or b"GET / HTTP/1.1\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            missing = int(line[15:]) - len(body)
            while missing > 0:
                missing -= len(peer.recv(65_536))
    return head


@contextmanager
def villain(scripts: dict[str, Script]) -> Iterator[Villain]:
    """Listening."""
    with Villain(scripts) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def head(status: str, *lines: bytes) -> bytes:
    """The beginning of an answer."""
    return b"HTTP/1.1 " + status.encode() + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def whole(body: bytes, *lines: bytes, status: str = "200 OK") -> Script:
    """An answer with a length."""
    told = [b"content-length: %d" % len(body), *lines]
    if not any(line.lower().startswith(b"content-type") for line in lines):
        told.append(b"content-type: application/json")
    return lambda: [head(status, *told) + body]


def chunked(pieces: Callable[[], Iterable[bytes]], *lines: bytes) -> Script:
    """An answer in chunks."""

    def play() -> Iterator[bytes]:
        yield head("200 OK", b"transfer-encoding: chunked", *lines)
        for piece in pieces():
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"

    return play


def forever(piece: bytes) -> Callable[[], Iterable[bytes]]:
    """The same again and again."""
    return lambda: itertools.repeat(piece)
