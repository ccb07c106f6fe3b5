"""New versions come replica by replica, never with fewer that answer, and go again where they are no good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stargate.broker import State
from stargate.broker.fact import Revised, RolloutEnded, Stopping
from stargate.server.rollout import ROOM_S, Rollouts
from tests.server.serving import SERVICE, Replica, ServingEngine, replica, serving
from tests.server.test_hosts import Clock
from tests.server.world import Stage, staged

pytestmark = pytest.mark.anyio

NEW = SERVICE.replace("run: serve", "run: serve --better")
FEWEST = 2


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The house's own do not look: a test says when."""
    monkeypatch.setattr("stargate.server.rollout.LOOK_S", 3_600)
    monkeypatch.setattr("stargate.server.replacing.LOOK_S", 3_600)


class Rolling(ServingEngine):
    """Each attempt that starts has a program of its own; those of the new version answer as they are told."""

    def __init__(self, programs: list[Replica]) -> None:
        super().__init__()
        self._free = list(programs)
        self.programs: dict[str, Replica] = {}
        self.status = 200

    async def start(self, effect: Any) -> None:
        if effect.attempt not in self.programs:
            program = self.programs[effect.attempt] = self._free.pop()
            program.status = self.status if "better" in effect.workload.run else 200
            self.addresses[effect.attempt] = program.address
        await super().start(effect)


class Service:
    """The service `chat` with two replicas."""

    def __init__(self, stage: Stage, engine: Rolling, clock: Clock) -> None:
        self.stage = stage
        self.engine = engine
        self.clock = clock
        self.rollouts = Rollouts(stage.house.driver, stage.house.routing)

    def ready(self) -> set[str]:
        """Those that get requests."""
        return {each.id for each in self.stage.house.routing.endpoints if each.service and not each.draining}

    async def until_ready(self, *names: str) -> None:
        for _ in range(300):
            await self.stage.settle()
            if self.ready() == set(names):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.ready()} are ready")

    async def step(self) -> list[Any]:
        """One look; what came of it."""
        before = self.stage.house.driver.head.seq
        await self.rollouts.look()
        await self.stage.settle()
        return [entry.fact for entry in await self.stage.house.history.entries(before, 100)]

    async def roll(self, limit: int = 60) -> None:
        """Until it is over. There are never fewer that answer."""
        for _ in range(limit):
            await self.step()
            assert len(self.ready()) >= FEWEST
            if not await self.is_rolling():
                return
            await self.stage.tick()
            await asyncio.sleep(0.05)
        raise AssertionError("it does not come to its end")

    async def is_rolling(self) -> bool:
        def view(state: State) -> bool:
            return state.records.workloads["chat"].workload.rollout is not None

        return await self.stage.house.driver.read(view)

    async def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.stage.operator.get("/v1/workloads/chat")
        return found

    async def facts(self, kind: type) -> list[Any]:
        entries = await self.stage.house.history.entries(0, 1_000)
        return [entry.fact for entry in entries if isinstance(entry.fact, kind)]


@asynccontextmanager
async def service(folder: Path, infrastructure: str = "") -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(replica()) for _ in range(8)]
        engine, clock, config = Rolling(programs), Clock(), serving(folder)
        if infrastructure:
            (folder / "infrastructure.yaml").write_text(infrastructure)
        stage = await stack.enter_async_context(staged(config, engine, clock=clock))
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SERVICE})
        await stage.tick(3)
        found = Service(stage, engine, clock)
        await found.until_ready("chat.0.1", "chat.1.1")
        yield found


async def test_replicas_are_replaced_one_by_one(tmp_path: Path) -> None:
    async with service(tmp_path) as it:
        assert await it.step() == []
        await it.stage.operator.post("/v1/workloads/chat/revise", {"yaml": NEW})
        assert (await it.shown())["rollout"] == "0 of 2 replicas are of the new version"
        assert "rollout" not in (await it.shown())["workload"], "it would tell the scripts of another version"
        await it.roll()
        assert it.ready() == {"chat.0.2", "chat.1.2"} or len(it.ready()) == 3
        await it.stage.tick(3)
        await it.until_ready("chat.0.2", "chat.1.2")
        shown = await it.shown()
        assert (shown["replicas"], shown["workload"]["run"], shown.get("rollout", "")) == (
            2,
            "serve --better",
            "",
        )
        (ended,) = await it.facts(RolloutEnded)
        assert ended.outcome == "done"
        assert ended.grounds[0].says == "2 of 2 replicas are of the new version, and answer"
        reasons = [(fact.attempt, fact.reason) for fact in await it.facts(Stopping)]
        assert reasons == [("chat.1.1", "replaced"), ("chat.0.1", "replaced"), ("chat.2.1", "scaled_down")]
        assert it.rollouts.troubles == ()


async def test_a_version_that_does_not_become_ready_is_given_up(tmp_path: Path) -> None:
    async with service(tmp_path) as it:
        it.engine.status = 503
        await it.stage.operator.post("/v1/workloads/chat/revise", {"yaml": NEW})
        for _ in range(3):
            await it.step()
            await it.stage.tick(2)
        assert it.ready() == {"chat.0.1", "chat.1.1"}, "the old ones go on"
        assert await it.is_rolling()
        it.clock.pass_s(61)
        await it.step()
        assert not await it.is_rolling()
        await it.stage.tick(3)
        (ended,) = await it.facts(RolloutEnded)
        says = "chat.2.1, of the new version, has not become ready within 1m; the one before goes on"
        assert (ended.outcome, ended.grounds[0].says) == ("failed", says)
        shown = await it.shown()
        assert (shown["replicas"], shown["workload"]["run"]) == (2, "serve")
        assert it.ready() == {"chat.0.1", "chat.1.1"}
        assert [fact.attempt for fact in await it.facts(Stopping)] == ["chat.2.1"]
        assert it.rollouts.troubles == (f"a new version of chat was given up: {says}",)


async def test_a_version_that_ends_by_itself_is_given_up(tmp_path: Path) -> None:
    async with service(tmp_path) as it:
        await it.stage.operator.post("/v1/workloads/chat/revise", {"yaml": NEW})
        await it.step()
        for count in (1, 2):
            await it.stage.tick(2)
            it.engine._end(it.engine._attempts[f"chat.2.{count}"], "failed", "user", "it exits")
            await it.stage.settle()
            if count == 1:
                assert [type(fact).__name__ for fact in await it.step()] == [], "once may be bad luck"
            it.clock.pass_s(60)
            await it.stage.operator.post("/v1/workloads", {"id": f"j{count}", "yaml": "name: j\nrun: x\n"})
            await it.stage.settle()
        await it.step()
        (ended,) = await it.facts(RolloutEnded)
        assert ended.grounds[0].says == (
            "2 replicas of the new version have ended by themselves; the one before goes on"
        )
        assert it.ready() == {"chat.0.1", "chat.1.1"}


async def test_where_there_is_no_room_an_old_one_makes_some(tmp_path: Path) -> None:
    async with service(tmp_path) as it:
        await it.stage.operator.post("/v1/workloads", {"id": "full", "yaml": FULL})
        await it.stage.tick(2)
        await it.stage.operator.post("/v1/workloads/chat/revise", {"yaml": NEW})
        assert await it.step(), "it tries to have one more"
        assert await it.step() == []
        it.clock.pass_s(ROOM_S + 1)
        (stopping,) = [fact for fact in await it.step() if isinstance(fact, Stopping)]
        assert stopping.attempt == "chat.1.1"
        assert stopping.grounds[0].says == "a new version takes its place; there is no room for one more"
        for _ in range(60):
            await it.stage.tick(2)
            await asyncio.sleep(0.05)
            await it.step()
            if not await it.is_rolling():
                break
        await it.stage.tick(2)
        (ended,) = await it.facts(RolloutEnded)
        assert ended.outcome == "done"
        await it.until_ready("chat.0.2", "chat.1.2")


FULL = "name: full\nresources: {accelerators: H100:8, cloud: oci}\nnum_nodes: 2\nrun: x\n"


async def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with service(tmp_path) as it:
        await it.stage.operator.post("/v1/workloads/chat/revise", {"yaml": NEW})
        await it.step()
        await it.stage.tick(3)
        await it.until_ready("chat.0.1", "chat.1.1", "chat.2.1")
        it.rollouts = Rollouts(it.stage.house.driver, it.stage.house.routing)
        await it.roll()
        assert [fact.outcome for fact in await it.facts(RolloutEnded)] == ["done"]


async def test_nothing_is_rolled_out_twice(tmp_path: Path) -> None:
    async with service(tmp_path) as it:
        answer = await it.stage.operator.post("/v1/workloads/chat/revise", {"yaml": SERVICE})
        assert answer["seq"] == 0
        for _ in range(2):
            await it.stage.operator.post("/v1/workloads/chat/revise", {"yaml": NEW})
        assert len(await it.facts(Revised)) == 1
        error = await it.stage.operator.refused(409, "/v1/workloads/chat/scale", {"replicas": 5})
        assert "is being rolled out" in error["message"]


async def test_a_service_without_replicas_is_simply_the_new_version(tmp_path: Path) -> None:
    async with service(tmp_path) as it:
        await it.stage.operator.post("/v1/workloads/chat/cancel")
        zero = SERVICE.replace("replicas: 2", "replica_policy: {min_replicas: 0, max_replicas: 2}")
        await it.stage.operator.post("/v1/workloads", {"id": "idle", "yaml": zero})
        await it.stage.tick(3)
        better = zero.replace("run: serve", "run: serve --better")
        await it.stage.operator.post("/v1/workloads/idle/revise", {"yaml": better})
        await it.step()
        shown = await it.stage.operator.get("/v1/workloads/idle")
        assert (shown["workload"]["run"], shown.get("rollout", "")) == ("serve --better", "")
