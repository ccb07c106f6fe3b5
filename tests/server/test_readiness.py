"""Replicas come and go: what answers 200 is ready, what fails often enough is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from stargate.base.time import SECOND, Duration
from stargate.server.readiness import Asked, Pace, Readiness
from stargate.workloads.workload import Probe

pytestmark = pytest.mark.anyio

PACE = Pace(starting_s=0.005, ready_s=0.02, failing_s=0.005, failures=3)


class Program:
    """A replica that answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.delay_s = 0.0
        self.heard: list[tuple[str, str, bytes, str]] = []
        self.address = ""
        self.open = self.most_open = 0

    async def answer(self, request: web.Request) -> web.Response:
        said = await request.read()
        self.heard.append((request.method, request.path_qs, said, request.headers.get("x-say", "")))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(self.delay_s)
        self.open -= 1
        return web.Response(status=self.status, headers={"location": "/elsewhere"})


@asynccontextmanager
async def program() -> AsyncIterator[Program]:
    found = Program()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.address = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(
    address_of: Callable[[str, str], str], pace: Pace = PACE
) -> AsyncIterator[tuple[Readiness, list[None]]]:
    changes: list[None] = []
    readiness = Readiness(address_of, lambda: changes.append(None), pace)
    try:
        yield readiness, changes
    finally:
        await readiness.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def test_a_replica_is_ready_once_it_answers_200_and_not_after_failing_often_enough() -> None:
    async with program() as one, asking(lambda _attempt, _pool: one.address) as (readiness, changes):
        one.status = 503
        readiness.follow({"a": Asked("a", "p", "s")})
        await until(lambda: len(one.heard) >= 3)
        assert readiness.address("a") == ""
        one.status = 200
        await until(lambda: readiness.address("a"))
        assert readiness.address("a") == one.address
        assert one.heard[-1] == ("GET", "/health", b"", "")
        one.status, before = 500, len(one.heard)
        await until(lambda: not readiness.address("a"))
        assert len(one.heard) - before >= PACE.failures
        assert len(changes) == 2
        one.status = 200
        await until(lambda: readiness.address("a"))


async def test_a_redirect_and_a_slow_answer_are_no_answers() -> None:
    async with program() as one, asking(lambda _attempt, _pool: one.address) as (readiness, _):
        one.status = 307
        probe = Probe(path="/", timeout=Duration(SECOND // 10))
        readiness.follow({"a": Asked("a", "p", "s", probe)})
        await until(lambda: len(one.heard) >= 2)
        assert {path for _, path, *_ in one.heard} == {"/"}
        one.status, one.delay_s, before = 200, 0.3, len(one.heard)
        await until(lambda: len(one.heard) >= before + 2)
        assert readiness.address("a") == ""


async def test_the_probe_is_asked_as_its_service_says() -> None:
    async with program() as one, asking(lambda _attempt, _pool: one.address) as (readiness, _):
        probe = Probe(path="/v1/chat?x=1", post_data='{"a":1}', headers={"x-say": "hello"})
        readiness.follow({"a": Asked("a", "p", "s", probe)})
        await until(lambda: readiness.address("a"))
        assert one.heard[0] == ("POST", "/v1/chat?x=1", b'{"a":1}', "hello")


async def test_who_has_no_address_yet_or_goes_away_is_not_ready() -> None:
    addresses: dict[str, str] = {}
    async with program() as one, asking(lambda attempt, _pool: addresses.get(attempt, "")) as (readiness, _):
        readiness.follow({"a": Asked("a", "p", "s"), "b": Asked("b", "p", "s")})
        addresses["a"] = one.address
        addresses["b"] = "127.0.0.1:1"
        await until(lambda: readiness.address("a"))
        assert readiness.address("b") == ""
        readiness.follow({"b": Asked("b", "p", "s")})
        assert readiness.address("a") == ""
        heard = len(one.heard)
        await asyncio.sleep(5 * PACE.ready_s)
        assert len(one.heard) <= heard + 1, "one probe may have been under way"


@pytest.mark.parametrize("address", ["{}/evil?x=", "{}#", "user@{}", " {}", "{}/", "", "{}0000"])
async def test_what_is_no_address_is_never_asked(address: str) -> None:
    """A program writes it itself, and what it writes goes to every gateway."""
    async with program() as one:
        said = address.format(one.address)
        async with asking(lambda _attempt, _pool: said) as (readiness, _):
            readiness.follow({"a": Asked("a", "p", "s")})
            await asyncio.sleep(0.1)
            assert not readiness.address("a")
            assert not one.heard


async def test_what_should_be_ready_by_now_is_named() -> None:
    async with asking(lambda _attempt, _pool: "") as (readiness, _):
        late = Probe(initial_delay=Duration(0))
        readiness.follow(
            {"a": Asked("a", "p", "s", late), "b": Asked("b", "p", "s", late), "c": Asked("c", "p", "t")}
        )
        await asyncio.sleep(0.01)
        assert readiness.troubles == ("2 of the replicas of s do not answer their readiness probe",)


async def test_so_many_are_asked_at_a_time() -> None:
    async with (
        program() as one,
        asking(lambda _attempt, _pool: one.address, Pace(starting_s=0.005, ready_s=60, probes=4)) as (
            readiness,
            _,
        ),
    ):
        one.delay_s = 0.01
        readiness.follow({str(number): Asked(str(number), "p", "s") for number in range(20)})
        await until(lambda: all(readiness.address(str(number)) for number in range(20)))
        assert one.most_open == 4
