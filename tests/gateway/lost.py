"""A provider is lost while sixteen streams are open: who is cut hears so, others hear nothing of it, all is counted.

python -m tests.gateway.lost --seeds 100
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import openai
from openai import AsyncOpenAI

from stargate.gateway.record import Tokens
from stargate.server.request_log import Filed
from tests.gateway.plant import Plant, plant
from tests.gateway.provider import Process

STREAMS = 16
AFTERWARDS = 4
"""Requests that are made as soon as it is lost."""


class Heard(msgspec.Struct):
    """What the client of a request heard."""

    request: str = ""
    pieces: int = 0
    """Events with text."""
    usage: int | None = None
    """Tokens of output, where it was told."""
    error: str = ""
    """The code of what was raised."""
    says: str = ""
    took_s: float = 0.0


class Loss(msgspec.Struct):
    """What came of one."""

    streams: list[Heard]
    afterwards: list[Heard]

    @property
    def cut(self) -> list[Heard]:
        """Streams that ended with an error."""
        return [each for each in self.streams if each.error]


async def lose(
    made: Plant, key: str, model: str, kill: Callable[[], None], wait_s: float = 0.0, **more: Any
) -> Loss:
    """Open the streams, kill when all have begun to speak, and ask again at once."""
    transport = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with AsyncOpenAI(
        base_url=made.url, api_key=key, timeout=120, max_retries=0, http_client=transport
    ) as client:
        begun = asyncio.Semaphore(0)
        streams = [asyncio.create_task(_listen(client, model, n, begun, more)) for n in range(STREAMS)]
        for _ in streams:
            await begun.acquire()
        await asyncio.sleep(wait_s)
        await asyncio.to_thread(kill)
        afterwards = await asyncio.gather(*(_ask(client, model, n) for n in range(AFTERWARDS)))
        return Loss(await asyncio.gather(*streams), list(afterwards))


async def _listen(
    client: AsyncOpenAI, model: str, nth: int, begun: asyncio.Semaphore, more: dict[str, Any]
) -> Heard:
    heard = Heard()
    stream = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": f"Tell me story number {nth}."}],
        stream=True, stream_options={"include_usage": True}, **more,
    )  # fmt: skip
    heard.request = stream.response.headers["x-request-id"]
    try:
        async for chunk in stream:
            if chunk.usage is not None:
                heard.usage = chunk.usage.completion_tokens
            if chunk.choices and chunk.choices[0].delta.content:
                heard.pieces += 1
                if heard.pieces == 1:
                    begun.release()
    except openai.APIError as error:
        heard.error, heard.says = str(error.code), error.message
    return heard


async def _ask(client: AsyncOpenAI, model: str, nth: int) -> Heard:
    began = time.monotonic()
    said = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": f"Count to {nth}."}], max_tokens=4
    )
    assert said.usage is not None
    return Heard(str(said._request_id), usage=said.usage.completion_tokens, took_s=time.monotonic() - began)


def answered(made: Plant, loss: Loss) -> dict[str, Filed]:
    """What is on record of each request, by its id, once all has arrived: the attempt that answered."""
    wanted = {each.request for each in (*loss.streams, *loss.afterwards)}

    def found() -> dict[str, Filed]:
        filed = [each for each in made.filed().values() if each.settled.outcome != "unsent"]
        return {each.admitted.request: each for each in filed if each.admitted.request in wanted}

    made.wait(lambda: found().keys() == wanted)
    return found()


def faults(loss: Loss, records: dict[str, Filed], victim: str) -> list[str]:
    """What is not as it should be."""
    found = []
    for each in loss.streams:
        record = records[each.request]
        settled = record.settled
        if each.error and record.where.provider == victim:
            # Nobody can be asked any more: what was passed on is what is known, its last event among it.
            sent = settled.tokens.output_tokens
            known = each.pieces <= sent <= each.pieces + 1 and settled.counted == "estimate"
            told = sent == each.usage and settled.counted == "upstream"
            as_it_should = (
                each.error == "upstream_broke"
                and settled.outcome == "cut"
                and not settled.chargeable
                and (known if each.usage is None else told)
            )
        else:
            as_it_should = (
                not each.error
                and (settled.outcome, settled.counted) == ("done", "upstream")
                and settled.tokens.output_tokens == each.usage
            )
        if not as_it_should:
            found.append(f"{each} {settled} at {record.where.provider}")
    for each in loss.afterwards:
        record = records[each.request]
        if record.where.provider == victim or record.settled.tokens.output_tokens != each.usage:
            found.append(f"afterwards {each} {record.settled} at {record.where.provider}")
    return found


# --- with mocks, as often as one likes ------------------------------------------------------------


class Result(msgspec.Struct):
    """Of many."""

    losses: int = 0
    cut: int = 0
    """Streams."""
    faults: list[str] = []
    slowest_s: float = 0.0
    """Of the requests made at once after a loss."""


def run(folder: Path, seeds: range) -> Result:
    """Lose one of two mocked providers for each seed, and give it back afterwards."""
    result = Result()
    with plant(folder) as made:
        key = made.key("client", product="chatgpt")
        made.wait(lambda: all(made.ask("/v1/models", token=key)[0] == 200 for _ in range(8)))
        for seed in seeds:
            _lose_one(made, key, random.Random(seed), result)
    return result


def _lose_one(made: Plant, key: str, draw: random.Random, result: Result) -> None:
    victim, survivor = draw.sample(sorted(made.providers), 2)
    mock = made.providers[victim]
    script = f"tokens={draw.randint(40, 120)}&pace_ms={draw.randint(2, 6)}&cached={draw.randint(0, 3)}"
    loss = asyncio.run(lose(made, key, "tiny", mock.kill, draw.uniform(0, 0.1), extra_body={"mock": script}))
    records = answered(made, loss)
    result.losses += 1
    result.cut += len(loss.cut)
    result.faults += faults(loss, records, victim)
    result.slowest_s = max(result.slowest_s, *(each.took_s for each in loss.afterwards))
    counted = made.providers[survivor].used()
    for record in records.values():
        if record.where.provider == survivor:
            theirs = counted[record.admitted.upstream_id].tokens()
            if theirs != record.settled.tokens:
                result.faults.append(f"{record.settled.tokens} on record, {survivor} counted {theirs}")
    _give_back(made, key, victim, mock)


def _give_back(made: Plant, key: str, victim: str, mock: Process) -> None:
    """It answers again, at the same address, and is trusted again."""
    mock.close()
    again = Process("--port", str(mock.port))
    made.providers[victim] = again
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}

    def asked() -> bool:
        made.ask("/v1/chat/completions", body, token=key)
        return bool(again.used())

    made.wait(asked)


def total(records: list[Filed]) -> Tokens:
    """The sum of what is on record."""
    fields = zip(*(msgspec.to_builtins(each.settled.tokens) for each in records), strict=True)
    return Tokens(*map(sum, fields))


def main() -> None:
    """Prints what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.lost")
    parser.add_argument("--seeds", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), range(asked.seeds))
    print(json.dumps(msgspec.to_builtins(result), indent=1))
    if result.faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
