"""Requests with bytes changed, lost, doubled and exchanged: whatever arrives, the gateway stands, and says so.

    python -m tests.gateway.hostile.mutate --cases 20000 --seed 1

Printed are the answers by status; the exit code is 1 where one is a fault of the gateway's own (500), anything raised,
a request was left open, or the worker grew by more than 32 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.gateway.alone import Alone, alone, endpoint, routes
from tests.gateway.hostile.wire import BODY, CHAT, CHUNKED, HEAD, HEALTH, chunk, length, whole
from tests.gateway.provider import spawn

CLIENTS = 128
QUIET_S = 0.5
"""A connection on which nothing has come for so long waits for more, and is closed."""
GROWN_BYTES = 32 << 20
STREAM = b'{"model":"tiny","messages":[],"stream":true,"stream_options":{"include_usage":true},"max_tokens":3,"n":1}'
SEEDS = (
    whole(), whole(STREAM), HEALTH, whole() + HEALTH,
    CHAT + CHUNKED + b"\r\n" + chunk(BODY[:20]) + chunk(BODY[20:]) + b"0\r\nX-A: b\r\n\r\n",
    b"GET /v1/models/tiny HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"POST /v1/responses HTTP/1.1\r\n" + HEAD + length(32) + b'\r\n{"model":"tiny","input":"hello"}',
)  # fmt: skip
WORDS = (
    b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b":", b",", b'"', b"\\", b"\\u0000", b"[" * 99, b"{", b"}", b"\xff",
    b"\xc3", b"-1", b"0x", b"1e999", b"9" * 40, b"chunked", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n",
    b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"null", b"true", b"%00", b"%2e%2e/",
    b"HTTP/1.0", b" ", b"\t", b";", b"0\r\n\r\n", b"Content-Encoding: gzip\r\n", b"\xe2\x80\xa8",
)  # fmt: skip


def mutated(chance: random.Random) -> bytes:
    """A request with one to four changes."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 1, 2, 8, 64)))
        kind = chance.randrange(5)
        if kind == 0:
            data[at:at] = chance.choice(WORDS)
        elif kind == 1:
            data[at:end] = chance.choice(WORDS)
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:at] = data[at:end] * chance.choice((1, 1, 2, 50))
        elif at < len(data):
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


async def heard(port: int, data: bytes) -> list[int]:
    """The statuses of what is answered to that."""
    said = b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(OSError, TimeoutError):
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(65_536), QUIET_S):
            said += piece
    writer.transport.abort()
    return [int(part[2:5]) for part in said.split(b"HTTP/1.")[1:] if part[2:5].isdigit()]


async def run(gateway: Alone, cases: int, seed: int) -> Counter[int]:
    """Send so many, some at a time; statuses by how often they came, 0 for no answer."""
    chance = random.Random(seed)
    found: Counter[int] = Counter()
    left = iter(range(cases))

    async def client() -> None:
        for _ in left:
            found.update(await heard(gateway.port, mutated(chance)) or [0])

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return found


def faults(gateway: Alone, found: Counter[int], before_bytes: int) -> list[str]:
    """What is wrong after it."""
    before_s = time.monotonic() + 10
    while gateway.get("/health/ready")[1]["open_requests"] and time.monotonic() < before_s:
        time.sleep(0.1)
    grown_bytes = gateway.worker.memory_info().rss - before_bytes
    wrong = {
        f"{found[500]} requests failed": bool(found[500]),
        "something was raised, see the log": "Traceback" in gateway.log(),
        "requests were left open": bool(gateway.get("/health/ready")[1]["open_requests"]),
        f"the worker grew by {grown_bytes / 2**20:.1f} MiB": grown_bytes > GROWN_BYTES,
    }
    return [name for name, is_so in wrong.items() if is_so]


def main() -> int:
    """Read the command line, send, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.hostile.mutate")
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder, provider = stack.enter_context(tempfile.TemporaryDirectory()), stack.enter_context(spawn())
        known = routes(endpoint(provider.url))
        with alone(Path(folder) / "gateway", known, receive_s=1.0) as gateway:
            asyncio.run(run(gateway, 200, asked.seed + 1))
            before_bytes = gateway.worker.memory_info().rss
            found = asyncio.run(run(gateway, asked.cases, asked.seed))
            print(", ".join(f"{status}: {count:,}" for status, count in sorted(found.items())))
            wrong = faults(gateway, found, before_bytes)
            for each in wrong:
                print(each)
            if "Traceback" in gateway.log():
                print(gateway.log()[-4_000:])
            return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
