"""Ranks add up their gradients in one order, whatever their number."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import numpy as np
import pytest

from stargate.demo.train.gang import SHARDS, Gang, PeerLostError, meet
from stargate.demo.train.model import Vector


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gather(ranks: int, name: str = "job") -> list[Gang]:
    address = ("127.0.0.1", free_port())
    with ThreadPoolExecutor(ranks) as pool:
        gangs = pool.map(lambda rank: meet(rank, ranks, address, name, lambda: False), range(ranks))
        return list(gangs)


def parts() -> list[Vector]:
    """Numbers whose sum depends on the order of addition."""
    values = np.random.Philox(key=5).random_raw(SHARDS * 1000).astype(np.float64) * 2.0**-60
    return list((values * 10.0 ** (np.arange(SHARDS * 1000) % 9)).astype(np.float32).reshape(SHARDS, 1000))


@pytest.mark.parametrize("ranks", range(1, SHARDS + 1))
def test_the_sum_is_the_same_for_any_number_of_ranks(ranks: int) -> None:
    shards = parts()
    expected = shards[0].copy()
    for shard in shards[1:]:
        expected += shard
    gangs = gather(ranks)
    with ThreadPoolExecutor(ranks) as pool:
        sums = list(pool.map(lambda gang: gang.sum(1, [shards[n] for n in gang.shards]), gangs))
    for gang in gangs:
        gang.close()
    assert all(total.tobytes() == expected.tobytes() for total in sums)
    backwards = sum(reversed(shards[:-1]), start=shards[-1].copy())
    assert backwards.tobytes() != expected.tobytes(), "these numbers do tell orders apart"


@pytest.mark.parametrize("ranks", range(1, SHARDS + 1))
def test_every_shard_belongs_to_one_rank(ranks: int) -> None:
    owned = [shard for rank in range(ranks) for shard in Gang(rank, ranks).shards]
    assert owned == list(range(SHARDS))


def test_everybody_hears_what_the_first_rank_has() -> None:
    gangs = gather(3)
    with ThreadPoolExecutor(3) as pool:
        heard = list(pool.map(lambda gang: gang.agree(100 + gang.rank), gangs))
    for gang in gangs:
        gang.close()
    assert heard == [100] * 3


def test_a_peer_that_hangs_up_is_noticed() -> None:
    first, second = gather(2)
    second.close()
    with pytest.raises(PeerLostError):
        first.sum(1, parts())
    first.close()


def test_strangers_are_sent_away() -> None:
    address = ("127.0.0.1", free_port())
    gangs: list[Gang] = []
    host = Thread(target=lambda: gangs.append(meet(0, 2, address, "job", lambda: False)))
    host.start()
    for hello in (
        b"GET / HTTP/1.1\r\n\r\n",
        b'{"name": "job of before", "rank": 1}\n',
        b"[]\n",
        b'{"name": "job"}\n',
    ):
        while True:
            try:
                stranger = socket.create_connection(address)
                break
            except ConnectionRefusedError:
                continue
        with stranger:
            stranger.sendall(hello)
            assert stranger.recv(1) == b""
    gangs.append(meet(1, 2, address, "job", lambda: False))
    host.join()
    assert len(gangs) == 2
    for gang in gangs:
        gang.close()


def test_waiting_for_ranks_that_do_not_come_can_be_called_off() -> None:
    with pytest.raises(PeerLostError):
        meet(0, 2, ("127.0.0.1", free_port()), "job", lambda: True)


def test_more_ranks_than_shards_cannot_be() -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        meet(0, SHARDS + 1, ("127.0.0.1", 1), "job", lambda: False)
