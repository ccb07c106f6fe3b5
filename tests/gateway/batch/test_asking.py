"""What is asked again and what is final; and how a runner takes up what is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from stargate.gateway.batch import Line, Result
from stargate.gateway.batch import asking as asking_module
from stargate.gateway.batch.asking import Asker, KeyRefusedError, Pace
from stargate.gateway.batch.runner import remaining

pytestmark = pytest.mark.anyio

LINE = Line("a", "POST", "/v1/embeddings", msgspec.Raw(b'{"model":"tiny","input":"Hi"}'))
PACE = Pace(wait_s=0.001, wait_limit_s=0.01, tries=4, outage_s=0.3, key_s=0.3)
Said = tuple[int, dict[str, str], bytes]
GOOD: Said = (200, {}, b'{"object": "list"}')


class Gateway:
    """Answers as it is told, the last answer for ever."""

    def __init__(self, *says: Said) -> None:
        self._says = list(says)
        self.asked = 0
        self._bell = asyncio.Condition()

    async def heard(self, times: int) -> None:
        async with self._bell:
            await self._bell.wait_for(lambda: self.asked >= times)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert await request.read() == bytes(LINE.body)
        self.asked += 1
        async with self._bell:
            self._bell.notify_all()
        status, headers, body = self._says.pop(0) if len(self._says) > 1 else self._says[0]
        if not status:
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=status or 200, headers=headers, body=body, content_type="application/json")


def refusal(status: int, code: str = "no", **headers: str) -> Said:
    return status, headers, json.dumps({"error": {"code": code, "message": "no"}}).encode()


@asynccontextmanager
async def asker(gateway: Gateway, pace: Pace = PACE) -> AsyncIterator[tuple[Asker, asyncio.Event]]:
    app = web.Application()
    app.router.add_post("/v1/embeddings", gateway.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stopping = asyncio.Event()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/embeddings"
    try:
        async with aiohttp.ClientSession() as session:
            yield Asker(session, url, stopping, pace), stopping
    finally:
        await runner.cleanup()


async def ask(*says: Said) -> tuple[Result | None, int]:
    gateway = Gateway(*says)
    async with asyncio.timeout(20), asker(gateway) as (one, _):
        return await one.ask(7, LINE), gateway.asked


async def test_an_answer_is_kept_as_it_came_with_its_id() -> None:
    found, asked = await ask((200, {"x-request-id": "req_1"}, b'{ "a": 1 }'))
    assert (found, asked) == (Result(7, 200, "req_1", b'{ "a": 1 }'), 1)


@pytest.mark.parametrize(
    "said",
    [
        refusal(400),
        refusal(403),
        refusal(404),
        refusal(413),
        refusal(422),
        refusal(429, "insufficient_quota"),
    ],
)
async def test_what_no_other_try_can_mend_is_final(said: Said) -> None:
    found, asked = await ask(said, GOOD)
    assert found is not None
    assert (found.status, asked) == (said[0], 1)


@pytest.mark.parametrize(
    "said",
    [
        refusal(429),
        refusal(429, **{"retry-after-ms": "5"}),
        refusal(429, **{"retry-after": "²"}),
        refusal(503),
        refusal(500),
        refusal(502),
        (500, {}, b"<html>"),
        (0, {}, b""),
    ],
)
async def test_what_may_go_better_is_asked_again(said: Said) -> None:
    found, asked = await ask(said, said, GOOD)
    assert found is not None
    assert (found.status, asked) == (200, 3)


async def test_a_line_that_fails_while_others_are_answered_is_given_up() -> None:
    gateway = Gateway(refusal(500))
    async with asyncio.timeout(20), asker(gateway) as (one, _):
        failing = asyncio.create_task(one.ask(0, LINE))
        await gateway.heard(1)
        one._answered += 1
        found = await failing
    assert found is not None
    assert found.status == 500
    assert gateway.asked >= PACE.tries


async def test_a_line_that_fails_like_all_others_waits_for_the_outage_to_end() -> None:
    begun = asyncio.get_running_loop().time()
    found, asked = await ask(refusal(502))
    assert found is not None
    assert found.status == 502
    assert asked > PACE.tries
    assert asyncio.get_running_loop().time() - begun >= PACE.outage_s


async def test_a_busy_gateway_is_waited_for_until_the_runner_is_to_end() -> None:
    gateway = Gateway(refusal(429))
    async with asyncio.timeout(20), asker(gateway) as (one, stopping):
        asking = asyncio.create_task(one.ask(0, LINE))
        await gateway.heard(3 * PACE.tries)
        stopping.set()
        assert await asking is None


async def test_a_new_key_may_be_unknown_for_a_moment_and_an_old_one_not() -> None:
    found, _ = await ask(refusal(401), refusal(401), GOOD)
    assert found is not None
    assert found.status == 200
    with pytest.raises(KeyRefusedError):
        await ask(refusal(401))


async def test_answers_that_nobody_can_keep_become_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_module, "ANSWER_BYTES_LIMIT", 64)
    for body, code in (
        (b"x" * 65, "answer_too_large"),
        (b"{", "answer_unreadable"),
        (b"\xff", "answer_unreadable"),
    ):
        found, _ = await ask((200, {}, body))
        assert found is not None
        assert found.status == 0
        assert msgspec.json.decode(found.body)["code"] == code


@pytest.mark.parametrize(
    ("done", "left"),
    [
        ((), [0, 1, 2, 3]),
        (((0, 4),), []),
        (((1, 2),), [0, 2, 3]),
        (((2, 4), (0, 1)), [1]),
        (((0, 1), (3, 4)), [1, 2]),
    ],
)
def test_what_is_left_are_the_lines_without_an_answer(
    tmp_path: Path, done: tuple[tuple[int, int], ...], left: list[int]
) -> None:
    path = tmp_path / "input"
    text = [
        msgspec.json.encode({"custom_id": str(n), "method": "POST", "url": "u", "body": {}}) for n in range(4)
    ]
    path.write_bytes(text[0] + b"\n\n  \n" + text[1] + b"\n" + text[2] + b"\r\n\n" + text[3])
    found = list(remaining(path, done))
    assert [number for number, _ in found] == left
    assert [line.custom_id for _, line in found] == [str(number) for number in left]
