"""Limits and budgets over several hosts, with everything that may die: never more than allowed, and hardly less."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stargate.base.time import Instant
from stargate.gateway.lending import SqliteBook
from stargate.gateway.limits import NoBankError, Purse, Returned, Slice, Ticket, Wish
from stargate.gateway.limits.lease import Leased, Leasing, Limits
from stargate.gateway.record import Admitted, Application, Scope, Settled
from stargate.gateway.steward.branch import Branch
from stargate.gateway.steward.teller import Teller
from stargate.server.lender import Lender
from stargate.server.request_log import Filed, RequestLog
from tests.gateway.steward.virtual import clock_us, run

MINUTE_S = 60.0


class Plane:
    """A control plane: it may be away, it may lose its answer, and what starts anew has only its files."""

    def __init__(self, folder: Path, key: Application) -> None:
        self._folder = folder
        self._key = key
        self.away = False
        self.mute = 0.0
        """How often an answer is lost on its way."""
        self.draw = random.Random(0)
        self.start()

    def start(self) -> None:
        key = SimpleNamespace(scope=self._key.scope, refusal=lambda _: "", application=lambda: self._key)
        ring = SimpleNamespace(find=lambda id: key if id == self._key.id else None)
        driver = SimpleNamespace(now=lambda: Instant(clock_us()))
        self.log = RequestLog(self._folder / "requests.sqlite", 10**6, 30)
        self.log._open().execute("PRAGMA synchronous = OFF")  # only processes die here
        book = SqliteBook(self._folder / "leases.sqlite", clock_us)
        self.lender = Lender(cast("Any", driver), cast("Any", ring), book, self.log)

    async def lend(self, leasing: Leasing, _limits: Limits) -> Leased:
        await asyncio.sleep(0.003)
        if self.away:
            raise NoBankError("away", "wait")
        leased = await self.lender.lend(leasing, "gateway:g")
        await asyncio.sleep(0.003)
        if self.draw.random() < self.mute:
            raise NoBankError("lost", "wait")
        return leased

    async def ship(self, told: list[Filed]) -> bool:
        if self.away:
            return False
        await self.log.file(told, (), Instant(clock_us()))
        return True

    async def close(self) -> None:
        await self.lender.close()
        await self.log.close()


class Desk:
    """A worker's bank: the host's teller, while there is one."""

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self._name = name
        self.slots: dict[str, int] = {}

    async def give(self, wishes: Sequence[Wish]) -> Sequence[Slice]:
        if self._host.teller is None:
            raise NoBankError("no steward", "wait")
        found = await self._host.teller.give(self._name, wishes)
        for wish, given in zip(wishes, found, strict=True):
            if wish.kind == "slots" and given.count > 0:
                self.slots[wish.application] = self.slots.get(wish.application, 0) + given.count
        return found

    def take_back(self, returned: Sequence[Returned]) -> None:
        for each in returned:
            if each.kind == "slots":
                self.slots[each.application] -= each.count
        if self._host.teller is not None:
            self._host.teller.take_back(self._name, returned)


class Host:
    """Workers, a steward, and a spool that outlives both."""

    def __init__(self, world: World, name: str, workers: int) -> None:
        self.world = world
        self.name = name
        self.teller: Teller | None = None
        self.spool: list[Filed] = []
        self.workers: list[tuple[str, Purse, Desk]] = []
        self._lives = 0
        self._running: asyncio.Task[None] | None = None
        for _ in range(workers):
            self.begin_worker()
        self.begin_steward()

    def begin_worker(self) -> None:
        self._lives += 1
        name = f"{self.name}.{self._lives}"
        desk = Desk(self, name)
        self.workers.append((name, Purse(desk, clock_us), desk))

    def kill_worker(self) -> str:
        name, _, _ = self.workers.pop(0)
        if self.teller is not None:
            self.teller.forget(name)
        self.begin_worker()
        return name

    def begin_steward(self) -> None:
        self._lives += 1
        self.teller = Teller(clock_us)
        branch = Branch(self.world.plane, self.teller.limit, (self.name, str(self._lives)), self.teller.slots)
        self.teller.open(branch, branch)
        self.teller.update([self.world.key])
        for name, _, desk in self.workers:
            self.teller.greet(name, desk.slots)
        self._running = asyncio.create_task(branch.run(self.teller.beat))

    async def kill_steward(self) -> None:
        self.teller = None
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)


class World:
    """Hosts that share a control plane, and a client that asks all of them all the time."""

    def __init__(self, folder: Path, seed: int, hosts: int, **bounds: Any) -> None:
        self.key = Application("k", "k", "k", Scope(**bounds))
        self.plane = Plane(folder, self.key)
        self.draw = self.plane.draw = random.Random(seed)
        self.hosts = [Host(self, f"h{each}", 2) for each in range(hosts)]
        self.open: dict[int, tuple[str, int]] = {}
        """Requests at work: their worker, and the most that they may cost."""
        self.spent = self.passed = self.refused = 0
        self.last_minute: deque[tuple[float, int]] = deque()
        self.most = {"money": 0, "slots": 0, "requests": 0, "tokens": 0}
        """That was ever reached."""
        self._seq = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self) -> None:
        host = self.draw.choice(self.hosts)
        name, purse, _ = self.draw.choice(host.workers)
        tokens, cost = self.draw.randrange(1, 100), self.draw.randrange(1, 100)
        try:
            got = await purse.enter(self.key, tokens, cost)
        except NoBankError:
            self.refused += 1
            return
        if not isinstance(got, Ticket):
            self.refused += 1
            return
        if all(name != each for each, _, _ in host.workers):
            return  # its worker has died meanwhile
        self.passed += 1
        self._seq += 1
        number = self._seq
        self.open[number] = name, cost
        self._look(tokens)
        await asyncio.sleep(self.draw.choice([0.01, 0.3, 3.0]))
        died = self.open.pop(number, None) is None
        used = self.draw.randrange(cost + 1)
        self.spent += used
        if not died:
            purse.leave(got, tokens, used)
        admitted = Admitted(
            number, clock_us(), "r", 0, "k", "completions", "m", "e", "", 0, lease_us=got.money_given_us
        )
        settled = Settled(number, clock_us(), "lost" if died else "done", 200)
        source = "gateway:g"
        host.spool.append(Filed(source, host.name, name, admitted, settled, micro_usd=used))

    def _look(self, tokens: int) -> None:
        now = asyncio.get_running_loop().time()
        self.last_minute.append((now, tokens))
        while self.last_minute[0][0] <= now - MINUTE_S:
            self.last_minute.popleft()
        seen = {
            "money": self.spent + sum(cost for _, cost in self.open.values()),
            "slots": len(self.open),
            "requests": len(self.last_minute),
            "tokens": sum(each for _, each in self.last_minute),
        }
        self.most = {name: max(self.most[name], count) for name, count in seen.items()}

    async def run(self, for_s: float, a_second: float) -> None:
        """Requests come at random, workers sweep, hosts ship."""
        end = asyncio.get_running_loop().time() + for_s
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(self.draw.expovariate(a_second))
            task = asyncio.create_task(self.ask())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            for host in self.hosts:
                for _, purse, _ in host.workers:
                    purse.sweep()
                if self.draw.random() < 0.02 and host.spool and await self.plane.ship(list(host.spool)):
                    host.spool.clear()

    def kill_worker(self) -> None:
        name = self.draw.choice(self.hosts).kill_worker()
        for number in [each for each, (worker, _) in self.open.items() if worker == name]:
            del self.open[number]

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)
        for host in self.hosts:
            await host.kill_steward()
        await self.plane.close()


@pytest.mark.parametrize("hosts", [1, 3, 8])
@pytest.mark.parametrize(
    "kind", ["requests_per_minute", "tokens_per_minute", "concurrent_requests", "budget_micro_usd"]
)
def test_hosts_share_each_limit(tmp_path: Path, hosts: int, kind: str) -> None:
    """However many there are, together they reach it and never pass it."""
    limit = {
        "requests_per_minute": 120,
        "tokens_per_minute": 6_000,
        "concurrent_requests": 6,
        "budget_micro_usd": 20_000,
    }[kind]
    name = {
        "requests_per_minute": "requests",
        "tokens_per_minute": "tokens",
        "concurrent_requests": "slots",
        "budget_micro_usd": "money",
    }[kind]

    async def main() -> World:
        world = World(tmp_path, 1, hosts, **{kind: limit})
        await world.run(130, 8)
        await world.close()
        return world

    world = run(main())
    assert world.most[name] <= limit
    assert world.most[name] >= 0.85 * limit, "hardly less than allowed"
    assert world.refused


@pytest.mark.parametrize("seed", range(3))
def test_nothing_passes_a_limit_while_workers_and_stewards_die_and_answers_are_lost(
    tmp_path: Path, seed: int
) -> None:
    """What the dead held counts until it is known to be over."""

    async def main() -> World:
        world = World(
            tmp_path, seed, 3, requests_per_minute=300, concurrent_requests=12, budget_micro_usd=25_000
        )
        for _ in range(25):
            await world.run(3, 10)
            if world.draw.random() < 0.3:
                world.kill_worker()
            if world.draw.random() < 0.3:
                host = world.draw.choice(world.hosts)
                await host.kill_steward()
                await world.run(0.6, 10)
                host.begin_steward()
        await world.close()
        return world

    world = run(main())
    assert world.passed > 200
    assert world.most["requests"] <= 300
    assert world.most["slots"] <= 12
    assert world.most["money"] <= 25_000


@pytest.mark.parametrize("seed", range(3))
def test_no_budget_is_passed_while_the_control_plane_dies_and_comes_back(tmp_path: Path, seed: int) -> None:
    """It gives nothing twice; and while it is away, hosts serve their part of what is no money."""

    async def main() -> World:
        world = World(tmp_path, seed, 3, budget_micro_usd=12_000)
        world.plane.mute = 0.05
        for _ in range(20):
            await world.run(3, 10)
            if world.draw.random() < 0.4:
                world.plane.away = True
                await world.run(world.draw.choice([0.2, 2, 20]), 10)
                await world.plane.close()
                world.plane.start()
                world.plane.away = False
            if world.draw.random() < 0.2:
                world.kill_worker()
        await world.close()
        return world

    world = run(main())
    assert world.most["money"] <= 12_000
    assert world.spent >= 0.7 * 12_000, "hardly less than allowed"
