"""A replica whose program runs and does not answer is started anew: one at a time, and later and later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stargate.base.time import Duration
from stargate.broker.fact import Requeued, Stopping
from stargate.server.readiness import Asked, Pace, Readiness
from stargate.server.replacing import Replacing
from stargate.workloads.workload import Probe
from tests.server.serving import SERVICE, ServingEngine, replica, serving
from tests.server.test_readiness import PACE, asking, program, until
from tests.server.test_rollout import Service, service
from tests.server.world import staged

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The house's own do not look: a test says when."""
    monkeypatch.setattr("stargate.server.rollout.LOOK_S", 3_600)
    monkeypatch.setattr("stargate.server.replacing.LOOK_S", 3_600)


async def test_one_that_was_ready_is_silent_after_many_failures() -> None:
    async with program() as one, asking(lambda _attempt, _pool: one.address) as (readiness, _):
        readiness.follow({"a": Asked("a", "p", "s")})
        await until(lambda: readiness.address("a"))
        assert readiness.silent() == {}
        one.status = 500
        await until(lambda: not readiness.address("a"))
        assert readiness.silent() == {}, "it gets no requests, and may come back"
        await until(readiness.silent)
        (says,) = readiness.silent().values()
        assert says.startswith("it runs, and has failed its readiness probe ")
        assert int(says.split()[-5]) >= PACE.silent_failures
        one.status = 200
        await until(lambda: not readiness.silent())


LATE = Probe(initial_delay=Duration(0))
DEFAULT = Probe(initial_delay=Duration(0))


async def test_one_that_never_was_is_silent_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asking(lambda _attempt, _pool: "") as (readiness, _):
        monkeypatch.setattr("stargate.server.readiness.DEFAULT", DEFAULT)
        readiness.follow(
            {"a": Asked("a", "p", "s", DEFAULT), "b": Asked("b", "p", "s", LATE), "c": Asked("c", "p", "s")}
        )
        await asyncio.sleep(0.01)
        # `a` states no probe, and `c` has time.
        assert readiness.silent() == {"b": "it runs, and has not become ready within 0"}


def silence(it: Service, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """These have fallen silent."""
    readiness: Readiness = it.stage.house.routing.readiness
    monkeypatch.setattr(readiness, "silent", lambda: dict.fromkeys(names, "it runs, and says nothing"))


async def test_one_of_a_service_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(tmp_path) as it:
        replacing = Replacing(it.stage.house.driver, it.stage.house.routing)
        silence(it, monkeypatch, "chat.0.1", "chat.1.1", "unheard.0.1")
        for _ in range(3):
            await replacing.look()
            await it.stage.settle()
        (stopping,) = await it.facts(Stopping)
        assert (stopping.attempt, stopping.reason) == ("chat.0.1", "unready")
        assert stopping.grounds[0].says == "it runs, and says nothing"
        await it.stage.tick()
        (requeued,) = await it.facts(Requeued)
        assert requeued.counts == "restart"
        it.clock.pass_s(60)
        await it.stage.operator.post("/v1/workloads", {"id": "nudge", "yaml": "name: j\nrun: x\n"})
        await it.stage.tick(1)
        silence(it, monkeypatch, "chat.1.1")
        await replacing.look()
        await it.stage.settle()
        assert len(await it.facts(Stopping)) == 1, "its successor is not ready yet"
        await it.stage.tick(2)
        await it.until_ready("chat.0.2", "chat.1.1")
        await replacing.look()
        await it.stage.settle()
        assert [fact.attempt for fact in await it.facts(Stopping)] == ["chat.0.1", "chat.1.1"]


async def test_a_new_version_is_left_to_its_roll_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(tmp_path) as it:
        better: Any = {"yaml": SERVICE.replace("run: serve", "run: serve --better")}
        it.engine.status = 503
        await it.stage.operator.post("/v1/workloads/chat/revise", better)
        await it.step()
        await it.stage.tick(3)
        silence(it, monkeypatch, "chat.2.1")
        await Replacing(it.stage.house.driver, it.stage.house.routing).look()
        await it.stage.settle()
        assert await it.facts(Stopping) == []


async def test_a_house_does_it_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stargate.server.replacing.LOOK_S", 0.02)
    monkeypatch.setattr("stargate.server.house.Pace", lambda **_: Pace(0.01, 0.02, 0.01, silent_failures=4))
    engine = ServingEngine()
    async with replica() as one, staged(serving(tmp_path), engine) as stage:
        engine.addresses["chat.0.1"] = one.address
        await stage.operator.post(
            "/v1/workloads", {"id": "chat", "yaml": SERVICE.replace("replicas: 2", "replicas: 1")}
        )
        await stage.tick(3)
        for _ in range(500):
            if any(each.service for each in stage.house.routing.endpoints):
                break
            await asyncio.sleep(0.01)
        one.status = 500
        for _ in range(500):
            if engine._attempts["chat.0.1"].stopping:
                break
            await asyncio.sleep(0.01)
        assert engine._attempts["chat.0.1"].stopping
