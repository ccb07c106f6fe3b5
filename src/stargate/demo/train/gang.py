"""How the ranks of one job add up their gradients, so that the sum is the same bit for bit for any number of ranks.

Floating-point addition depends on the order. Therefore each step's batch is cut into `SHARDS` shards, whatever the
number of ranks; a rank works on a run of consecutive shards, and rank 0 adds all shards in their order and sends the
sum back. Plain TCP on the addresses that the environment names.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from stargate.base.errors import ProviderError
from stargate.demo.train.model import Vector

SHARDS = 8
GATHER_S = 60.0
"""All ranks must have met within this."""
SILENCE_S = 120.0
"""A peer that is stuck for so long is gone."""
_HELLO_LIMIT = 4_096
_RETRY_S = 0.02
_LOOK_S = 0.2


class PeerLostError(ProviderError):
    """A rank of the job is gone: this one cannot go on without it."""


@dataclass
class Gang:
    """The ranks of one job, connected."""

    rank: int
    ranks: int
    peers: list[socket.socket] = field(default_factory=list)
    """Rank 0: the others in their order; others: rank 0 alone."""

    @property
    def shards(self) -> range:
        """The shards of this rank."""
        return _shards(self.rank, self.ranks)

    def sum(self, step: int, parts: list[Vector]) -> Vector:
        """The sum over all shards of all ranks. Raises PeerLostError."""
        if self.rank:
            _send(self.peers[0], step, np.stack(parts))
            return _receive(self.peers[0], step, parts[0].shape)
        total = parts[0].copy()
        for part in parts[1:]:
            total += part
        for rank, peer in enumerate(self.peers, start=1):
            for part in _receive(peer, step, (len(_shards(rank, self.ranks)), *total.shape)):
                total += part
        for peer in self.peers:
            _send(peer, step, total)
        return total

    def share(self, step: int, values: Vector) -> Vector:
        """What rank 0 has, for everybody. Raises PeerLostError."""
        if self.rank:
            return _receive(self.peers[0], step, values.shape)
        for peer in self.peers:
            _send(peer, step, values)
        return values

    def agree(self, number: int) -> int:
        """The whole number that rank 0 has, up to 16 million. Raises PeerLostError."""
        assert number < 1 << 24, "it travels as a 32-bit float"
        return int(self.share(-1, np.array([number], dtype=np.float32))[0])

    def close(self) -> None:
        """Hang up."""
        for peer in self.peers:
            peer.close()


def meet(rank: int, size: int, address: tuple[str, int], name: str, stopped: Callable[[], bool]) -> Gang:
    """Connect all ranks of the job called `name`. Raises PeerLostError when some do not come, or `stopped`."""
    if not 0 <= rank < size <= SHARDS:
        raise ValueError(f"rank {rank} of {size}: this job runs on 1 to {SHARDS} ranks")
    deadline = time.monotonic() + GATHER_S

    def waiting() -> bool:
        if stopped() or time.monotonic() > deadline:
            raise PeerLostError("not all ranks came together")
        return True

    gang = Gang(rank, size)
    if size > 1:
        gang.peers = (
            _host(size, address, name, waiting) if rank == 0 else [_join(rank, address, name, waiting)]
        )
        for peer in gang.peers:
            peer.settimeout(SILENCE_S)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return gang


def _shards(rank: int, size: int) -> range:
    return range(rank * SHARDS // size, (rank + 1) * SHARDS // size)


def _host(size: int, address: tuple[str, int], name: str, waiting: Callable[[], bool]) -> list[socket.socket]:
    peers: dict[int, socket.socket] = {}
    with socket.create_server(address) as server:
        server.settimeout(_LOOK_S)
        while waiting() and len(peers) < size - 1:
            with suppress(TimeoutError):
                peer, _ = server.accept()
                peer.settimeout(_LOOK_S)
                rank = _greeting(peer, name)
                if 0 < rank < size and rank not in peers:
                    peers[rank] = peer
                    peer.sendall(b"\n")
                else:
                    peer.close()  # Somebody from another job, or from a job that is over.
    return [peers[rank] for rank in sorted(peers)]


def _greeting(peer: socket.socket, name: str) -> int:
    """The rank that a stranger claims; 0 for a stranger."""
    try:
        with peer.makefile("rb") as file:
            hello = json.loads(file.readline(_HELLO_LIMIT))
        return int(hello["rank"]) if hello["name"] == name else 0
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def _join(rank: int, address: tuple[str, int], name: str, waiting: Callable[[], bool]) -> socket.socket:
    while waiting():
        try:
            peer = socket.create_connection(address, timeout=SILENCE_S)
            peer.sendall(json.dumps({"name": name, "rank": rank}).encode() + b"\n")
            if peer.recv(1) == b"\n":
                return peer
            peer.close()
        except OSError:
            pass
        time.sleep(_RETRY_S)
    raise AssertionError("waiting ends with an error")


def _send(peer: socket.socket, step: int, values: Vector) -> None:
    try:
        peer.sendall(step.to_bytes(8, "big", signed=True))
        peer.sendall(values.data)
    except OSError as error:
        raise PeerLostError(f"process {os.getpid()}: {error}") from error


def _receive(peer: socket.socket, step: int, shape: tuple[int, ...]) -> Vector:
    values = np.empty(shape, dtype=np.float32)
    header = bytearray(8)
    for buffer in (memoryview(header), values.data.cast("B")):
        filled = 0
        while filled < len(buffer):
            try:
                count = peer.recv_into(buffer[filled:])
            except OSError as error:
                raise PeerLostError(f"a peer fell silent: {error}") from error
            if not count:
                raise PeerLostError("a peer hung up")
            filled += count
    assert int.from_bytes(header, "big", signed=True) == step, "ranks work in step"
    return values
