"""What only the kernel knows of a worker's connections: whether clients take what they are sent.

The server queues without bound what it is handed, so it cannot say; the kernel counts what of each connection is not
acknowledged. A client is asked about after each `UNREAD_BYTES` of its answer, and nothing more is handed over before
it has taken all of that: of a client that reads nothing so much is held at most, and what its socket holds.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

UNREAD_BYTES = 256 << 10
KNOWN_S = 0.2
"""How long a look at all connections holds, for those that were not found in it."""
LOOK_S = 0.001
LOOKS = 10_000
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_NONE = b"\0\0\0\0"


class Connections:
    """Those of this process, by the addresses of their clients."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._looked_s = 0.0

    def unread_bytes(self, client: str) -> int | None:
        """What a client has not acknowledged; None: there is no connection of it. `client` is as the server says it."""
        wanted = _plain(client)
        file = self._files.get(wanted, -1)
        found = _unread_bytes(file, wanted)
        if found is None and time.monotonic() - self._looked_s >= KNOWN_S:
            self._files = {_peer(held): held.fileno() for held in _sockets()}
            self._looked_s = time.monotonic()
            found = _unread_bytes(self._files.get(wanted, -1), wanted)
        return found


async def bound(seconds: float) -> None:
    """Have connections closed whose clients have taken nothing for so long, though there was something to take.

    An answer that was handed over whole would otherwise be held as long as its reader likes. The server opens its
    socket a moment after it starts its application: until then this waits.
    """
    for _ in range(LOOKS):
        listening = [held for held in _sockets() if _tell(held, round(seconds * 1_000))]
        if listening:
            return
        await asyncio.sleep(LOOK_S)


def _tell(held: socket.socket, milliseconds: int) -> bool:
    """A socket that listens hands on what it is told to those that it accepts. False: it does not listen."""
    if not held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False
    held.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return True


def _unread_bytes(file: int, wanted: str) -> int | None:
    """None where the file is not, or no longer, that connection."""
    with suppress(OSError), _borrowed(file) as held:
        if held.family in _FAMILIES and _peer(held) == wanted:
            count: int = struct.unpack("i", fcntl.ioctl(file, termios.TIOCOUTQ, _NONE))[0]
            return count
    return None


def _sockets() -> Iterator[socket.socket]:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # names are all that is wanted
        with suppress(OSError), _borrowed(int(name)) as held:
            if held.family in _FAMILIES:
                yield held


@contextmanager
def _borrowed(file: int) -> Iterator[socket.socket]:
    """A file as the socket that it is, left open. Raises OSError where it is none."""
    if file < 0:
        raise OSError
    held = socket.socket(fileno=file)
    try:
        yield held
    finally:
        held.detach()


def _peer(held: socket.socket) -> str:
    """Empty where it has none."""
    with suppress(OSError):
        host, port = held.getpeername()[:2]
        return _plain(f"{host}:{port}")
    return ""


def _plain(client: str) -> str:
    """An address in one form, however it was written."""
    return client.replace("[", "").replace("]", "").removeprefix("::ffff:")
