"""Many calls of every kind while processes die: what arrives in the ledger is what the providers count, to the token.

python -m tests.gateway.exact --calls 100000 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil

from tests.gateway.plant import Plant, plant
from tests.gateway.provider.tally import Used

AT_ONCE = 24
PLAYS = (
    ("", 80), ("play=comments", 3), ("play=crlf", 3), ("play=nulls", 3), ("play=no-usage", 4), ("play=no-done", 2),
    ("play=500", 1), ("play=429", 1), ("play=503", 1), ("play=400", 2), ("play=cut-fin", 2), ("play=cut-rst", 2),
    ("play=error-event", 2), ("play=shut", 1), ("play=reset", 1), ("play=split", 1), ("play=continuous", 2),
    ("play=empty-choices", 2), ("play=until-close", 2), ("play=long-length", 2), ("cached=3&tokens=9", 4),
    ("reasoning=2&tokens=9", 4),
)  # fmt: skip
"""How providers behave, and how often."""
SETTLING_S = 240.0


class Result(msgspec.Struct):
    """What came of it."""

    calls: int = 0
    statuses: dict[str, int] = {}
    left: int = 0
    """Calls whose client went away in the middle."""
    deaths: dict[str, int] = {}
    attempts: int = 0
    """On record."""
    asked: int = 0
    """Requests that the providers were asked to serve, by their own count."""
    lost: list[str] = []
    """Asked, and not on record."""
    twice: list[str] = []
    """Asked more than once under one name."""
    differing: list[str] = []
    """On record with another count than the provider's."""
    totals: list[str] = []
    """Sums in the ledger that differ from the providers' own."""
    estimates: int = 0
    wall_s: float = 0

    @property
    def exact(self) -> bool:
        """Nothing lost, nothing twice, no token different."""
        return not (self.lost or self.twice or self.differing or self.totals)


async def _call(
    session: aiohttp.ClientSession, made: Plant, key: str, draw: random.Random, result: Result
) -> None:
    stream = draw.random() < 0.6
    play = draw.choices([play for play, _ in PLAYS], [weight for _, weight in PLAYS])[0]
    leaves = draw.random() < 0.12
    if leaves:
        play += "&pace_ms=3&tokens=60" if stream else "&first_ms=60"
    body = {
        "model": "tiny",
        "stream": stream,
        "mock": play.strip("&"),
        "messages": [{"role": "user", "content": "Hi"}],
    }
    status = "unreached"
    try:
        async with session.post(
            f"{made.url}/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
        ) as answer:
            status = str(answer.status)
            if leaves:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(draw.uniform(0.001, 0.1)):
                        await answer.read()
                        leaves = False
                if leaves:
                    result.left += 1
                    answer.close()
                    return
            await answer.read()
    except (aiohttp.ClientError, OSError, TimeoutError):
        status = "unreached" if status == "unreached" else "cut"
    finally:
        result.statuses[status] = result.statuses.get(status, 0) + 1
        result.calls += 1


async def _drive(made: Plant, calls: int, seed: int, deaths: bool, result: Result) -> None:
    draw = random.Random(seed)
    key = await asyncio.to_thread(made.key, "client", product="chatgpt")
    await asyncio.to_thread(made.wait, lambda: made.ask("/v1/models", token=key)[0] == 200)
    gate = asyncio.Semaphore(AT_ONCE)
    finished = asyncio.Event()

    async def one(session: aiohttp.ClientSession) -> None:
        async with gate:
            await _call(session, made, key, draw, result)
            if result.calls % 1_000 == 0:
                print(f"{result.calls:,} calls, {result.deaths}", file=sys.stderr, flush=True)

    async def kill() -> None:
        killer = random.Random(seed + 1)
        while not finished.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(finished.wait(), killer.uniform(1.0, 5.0))
                return
            victim = killer.choices(["worker", "steward", "server", "host"], [6, 2, 2, 1])[0]
            await asyncio.to_thread(_kill, made, victim, killer)
            result.deaths[victim] = result.deaths.get(victim, 0) + 1

    killing = asyncio.create_task(kill()) if deaths else None
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        pending: set[asyncio.Task[None]] = set()
        for _ in range(calls):
            pending.add(asyncio.create_task(one(session)))
            if len(pending) >= 4 * AT_ONCE:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if pending:
            await asyncio.wait(pending)
    finished.set()
    if killing is not None:
        await killing


def _kill(made: Plant, victim: str, killer: random.Random) -> None:
    if victim == "server":
        made.kill_server()
        made.start_server()
    elif victim == "host":
        made.kill_gateway()
        made.start_gateway(2)
    else:
        with contextlib.suppress(psutil.Error):
            family = [
                each
                for each in made.workers()
                if ("steward" in " ".join(each.cmdline())) == (victim == "steward")
            ]
            if family:
                killer.choice(family).kill()


def _compare(made: Plant, result: Result) -> None:
    filed = made.filed()
    used = made.used()
    result.attempts = len(filed)
    counts: Counter[tuple[str, str]] = Counter()
    parties = {"azure": "microsoft", "oci": "oracle-co"}
    for provider, requests in used.items():
        for name, each in requests.items():
            if not each.calls:
                continue
            result.asked += 1
            _check(name, each, filed, result)
            for metric, tokens in _parts(each).items():
                counts[parties[provider], metric] += tokens
    result.estimates = sum(each.settled.counted == "estimate" for each in filed.values())
    posted = made.posted()
    for key, tokens in counts.items():
        if posted.get(key, 0) != tokens:
            result.totals.append(f"{key}: {posted.get(key, 0):,} posted, {tokens:,} counted by the provider")


def _check(name: str, each: Used, filed: dict[str, Any], result: Result) -> None:
    if each.calls > 1:
        result.twice.append(name)
    record = filed.get(name)
    if record is None:
        result.lost.append(name)
    elif record.settled.tokens != each.tokens():
        said = record.settled
        result.differing.append(
            f"{name}: {said.outcome} {said.counted} {said.tokens}, provider {each.tokens()} {each}"
        )


def _parts(each: Used) -> dict[str, int]:
    return {
        "input_tokens": each.input_tokens - each.cached_tokens,
        "cached_tokens": each.cached_tokens,
        "output_tokens": each.output_tokens - each.reasoning_tokens,
        "reasoning_tokens": each.reasoning_tokens,
    }


def run(calls: int, seed: int, folder: Path, *, deaths: bool = True) -> Result:
    """Drive, wait until all has arrived, compare."""
    result = Result()
    began = time.monotonic()
    with plant(folder) as made:
        asyncio.run(_drive(made, calls, seed, deaths, result))

        def arrived() -> bool:
            asked = {
                name for requests in made.used().values() for name, each in requests.items() if each.calls
            }
            return made.spooled() <= 2 and asked <= made.filed().keys()

        with contextlib.suppress(TimeoutError):
            made.wait(arrived, SETTLING_S)
        time.sleep(2.0)
        _compare(made, result)
    result.wall_s = round(time.monotonic() - began, 1)
    return result


def main() -> None:
    """Exit code 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.exact")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet-life", action="store_true", help="kill nothing")
    parser.add_argument("--keep", type=Path, help="folder; default: a temporary one")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        result = run(asked.calls, asked.seed, folder, deaths=not asked.quiet_life)
    print(json.dumps({**msgspec.to_builtins(result), "exact": result.exact}, indent=1))
    sys.exit(not result.exact)


if __name__ == "__main__":
    main()
