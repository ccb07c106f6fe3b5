"""Ten times as many requests as a gateway takes at a time: it sheds what is too much, and what it takes stays quick.

    python -m tests.gateway.hostile.overload [--limit 64] [--seconds 10]

One worker, a mock that takes 200 ms for each answer, and clients that ask again as soon as they are answered: first as
many as the limit, then ten times as many. Printed are what was served and shed, the 50th and 99th percentile of what
was served, memory and open files before and after; the exit code is 1 where p99 doubles or anything else is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import aiohttp
import msgspec

from tests.gateway.alone import TOKEN, Alone, alone, endpoint, routes
from tests.gateway.provider import spawn

PAUSE_S = 0.1
"""How long a client that was shed waits before it asks again: less than it is told to."""
TIMES = 10
MEASURED = 16
"""Clients whose waits are measured."""


class Load(msgspec.Struct):
    """What came of it."""

    served_s: list[float]
    statuses: Counter[int]
    told: bool = True
    """Whoever was shed was told when to come again."""

    def percentile(self, share: float) -> float:
        """Of the times of those that were served, in milliseconds."""
        return sorted(self.served_s)[int(share * (len(self.served_s) - 1))] * 1_000


async def load(url: str, clients: int, seconds: float) -> Load:
    """So many clients for so long."""
    found = Load([], Counter())
    body = {"model": "tiny", "messages": [], "mock": "tokens=8&first_ms=200"}
    end_s = time.monotonic() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        while (begin_s := time.monotonic()) < end_s:
            async with session.post(f"{url}/chat/completions", json=body) as answer:
                await answer.read()
                found.statuses[answer.status] += 1
                if answer.status == 200:
                    found.served_s.append(time.monotonic() - begin_s)
                    continue
                found.told &= "retry-after" in answer.headers
            await asyncio.sleep(PAUSE_S)

    connector = aiohttp.TCPConnector(limit=0)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    return found


def measure(gateway: Alone, clients: int, seconds: float) -> tuple[Load, Load]:
    """What a few of the clients find, and what the others do: in a process of their own, so that they delay nobody."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        others = pool.submit(crowd, gateway.url, clients - MEASURED, seconds + 1)
        time.sleep(1)
        found = asyncio.run(load(gateway.url, MEASURED, seconds))
        return found, others.result()


def crowd(url: str, clients: int, seconds: float) -> Load:
    """The others."""
    return asyncio.run(load(url, clients, seconds))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.hostile.overload")
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, spawn() as provider:
        known = routes(endpoint(provider.url))
        with alone(Path(folder) / "gateway", known, open_requests=asked.limit) as gateway:
            asyncio.run(load(gateway.url, asked.limit, 1.0))
            files, held = gateway.worker.num_fds(), gateway.worker.memory_info().rss
            at, others_at = measure(gateway, asked.limit, asked.seconds)
            beyond, others_beyond = measure(gateway, TIMES * asked.limit, asked.seconds)
            time.sleep(1)
            all_at, all_beyond = at.statuses + others_at.statuses, beyond.statuses + others_beyond.statuses
            print(f"{'':22}{'at the limit':>14}{f'{TIMES} times':>14}")
            print(f"{'clients':22}{asked.limit:14,}{TIMES * asked.limit:14,}")
            print(f"{'served':22}{all_at[200]:14,}{all_beyond[200]:14,}")
            print(f"{'shed with 429':22}{all_at[429]:14,}{all_beyond[429]:14,}")
            for share in (0.5, 0.99):
                name = f"p{share * 100:g} ms"
                print(f"{name:22}{at.percentile(share):14,.1f}{beyond.percentile(share):14,.1f}")
            print(f"{'memory MiB':22}{held / 2**20:14,.1f}{gateway.worker.memory_info().rss / 2**20:14,.1f}")
            print(f"{'open files':22}{files:14,}{gateway.worker.num_fds():14,}")
            others = (all_at | all_beyond).keys() - {200, 429}
            if others:
                print(f"also answered: {sorted(others)}")
            return bool(others) or not beyond.told or beyond.percentile(0.99) >= 2 * at.percentile(0.99)


if __name__ == "__main__":
    sys.exit(main())
