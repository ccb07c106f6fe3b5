"""Replicas follow the load: up at once, down when they have not been needed for a while, to none where they may."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stargate.base.time import SECOND
from stargate.broker import State
from stargate.broker.fact import Scaled as ScaledFact
from stargate.gateway.record import Busy, Load, Wanted
from stargate.server.hosts import Hosts
from stargate.server.scaling import Scaled, Scaler, need, target_of
from stargate.workloads import Resources, Service, Size, Traffic, Workload
from stargate.workloads.workload import COOL_DOWN
from tests.server.serving import SERVICE, ServingEngine, serving
from tests.server.test_hosts import Clock
from tests.server.world import Stage, staged

pytestmark = pytest.mark.anyio

SCALING = SERVICE.replace(
    "replicas: 2", "replica_policy: {min_replicas: 1, max_replicas: 4, target_qps_per_replica: 2}"
)
TO_ZERO = SCALING.replace("min_replicas: 1", "min_replicas: 0, downscale_delay_seconds: 60")
STEADY_S = COOL_DOWN // SECOND


@pytest.mark.parametrize(
    ("per_second", "replicas"),
    [("0", 0), ("0.1", 1), ("1.9", 1), ("2", 1), ("2.1", 2), ("7.9", 4), ("1000", 4)],
)
def test_as_many_as_a_rate_needs_within_the_bounds(per_second: str, replicas: int) -> None:
    for least in (0, 1):
        service = Service(min_replicas=least, max_replicas=4, target_qps_per_replica=Decimal(2))
        each = Scaled("chat", service, 1, Decimal(2), Decimal(per_second), busy=False)
        assert need(each) == max(replicas, least)


def test_what_is_in_use_keeps_a_replica_whatever_its_rate() -> None:
    service = Service(min_replicas=0, max_replicas=4, target_qps_per_replica=Decimal(2))
    assert need(Scaled("chat", service, 1, Decimal(2), Decimal(0), busy=True)) == 1


def test_without_a_target_there_are_as_many_as_there_are_or_none() -> None:
    service = Service(min_replicas=0, max_replicas=4)
    assert need(Scaled("chat", service, 3, None, Decimal("0.1"), busy=False)) == 3
    assert need(Scaled("chat", service, 0, None, Decimal(0), busy=True)) == 1
    assert need(Scaled("chat", service, 3, None, Decimal(0), busy=False)) == 0


def test_stated_traffic_is_shared_by_the_replicas_that_it_was_sized_to() -> None:
    traffic = Traffic(Decimal(12), 100, 100)
    sizes = (Size(Resources(), 1, replicas=8), Size(Resources(), 2, replicas=3))
    work = Workload("chat", kind="serve", traffic=traffic, sizes=sizes, service=Service())
    assert target_of(work) == Decimal("1.5")
    stated = Service(target_qps_per_replica=Decimal(4))
    assert target_of(msgspec.structs.replace(work, service=stated)) == 4
    assert target_of(Workload("chat", "serve", service=Service())) is None
    each = Scaled("chat", Service(2, 256), 2, target_of(work), traffic.requests_per_s, busy=True)
    assert need(each) == 8, "at the peak as many as at the start"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The house's own scaler does not look: it knows nothing of the loads of these tests."""
    monkeypatch.setattr("stargate.server.scaling.HASTE_S", 3_600)


class Told:
    """A host of gateways that sends to the service `chat`, and tells of it."""

    def __init__(self, stage: Stage, clock: Clock) -> None:
        self._clock = clock
        self._hosts = Hosts(clock)
        self.scaler = Scaler(stage.house.driver, self._hosts, lambda: stage.house.routing.services)
        self._begun = self._unserved = 0
        self._stage = stage

    async def tell(self, begun: int = 0, *, unserved: int = 0, opened: int = 0, waiting: int = 0) -> None:
        """A second passes with so many requests, which go to the first replica or find none."""
        self._clock.pass_s(1)
        self._begun += begun
        self._unserved += unserved
        name = await self._stage.house.driver.read(_first)
        endpoints = {name: Busy(self._begun, opened)} if name else {}
        models = {"tiny": Wanted(self._unserved, waiting)}
        self._hosts.hear("gateway:eu", Load(node="a", endpoints=endpoints, models=models))

    async def after(self, seconds: int, per_second: int = 0, **more: Any) -> int:
        """How many replicas there are after so long of it."""
        for _ in range(0, seconds, 5):
            for _ in range(5):
                await self.tell(per_second, **more)
            await self.scaler.look()
        return await replicas(self._stage)


def _first(state: State) -> str:
    holder = state.records.workloads["chat"]
    return next((slot.attempt for slot in holder.slots if slot.status == "placed"), "")


async def replicas(stage: Stage) -> int:
    await stage.tick()
    return await stage.house.driver.read(lambda state: state.records.workloads["chat"].replicas)


async def test_a_service_follows_its_load(tmp_path: Path) -> None:
    clock = Clock()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.tick(3)
        traffic = Told(stage, clock)
        assert await traffic.after(30, 1) == 1
        assert await traffic.after(30, 5) == 3
        assert await traffic.after(30, 50) == 4, "never more than the bound"
        assert await traffic.after(STEADY_S - 60, 1) == 4, "they were needed a moment ago"
        assert await traffic.after(90, 3) == 2
        assert await traffic.after(STEADY_S + 30, 0) == 1, "never fewer than the bound"


async def test_requests_that_found_no_place_call_for_more(tmp_path: Path) -> None:
    clock = Clock()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.tick(3)
        assert await Told(stage, clock).after(30, 2, unserved=3) == 3


async def test_after_a_restart_nothing_goes_until_the_past_is_known(tmp_path: Path) -> None:
    clock = Clock()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.operator.post("/v1/workloads/chat/scale", {"replicas": 3})
        await stage.tick(3)
        traffic = Told(stage, clock)
        assert await traffic.after(STEADY_S) == 3
        assert await traffic.after(10) == 1


async def test_the_last_replica_goes_when_nothing_is_asked_and_comes_when_somebody_waits(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": TO_ZERO})
        assert await replicas(stage) == 0, "it begins with as few as it may have"
        traffic = Told(stage, clock)
        assert await traffic.after(10) == 0
        await traffic.tell(waiting=1)
        await traffic.scaler.look()
        assert await replicas(stage) == 1
        await stage.tick(3)
        assert await traffic.after(300, opened=1) == 1, "a long answer is still being given"
        assert await traffic.after(50) == 1
        assert await traffic.after(20) == 0
        await stage.tick(3)
        assert await traffic.after(60) == 0
        assert await traffic.after(10, unserved=1) == 1, "another model answered in its place"


async def test_a_service_at_rest_and_one_without_target_are_left_alone(tmp_path: Path) -> None:
    clock = Clock()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.operator.post("/v1/workloads", {"id": "fixed", "yaml": SERVICE})
        await stage.operator.post("/v1/workloads/chat/scale", {"replicas": 0})
        await stage.tick(3)
        await Told(stage, clock).after(500, unserved=5, waiting=5)
        await stage.settle()
        facts = [entry.fact for entry in await stage.house.history.entries(0, 1_000)]
        assert [fact.replicas for fact in facts if isinstance(fact, ScaledFact)] == [0], "as somebody asked"


async def test_a_wakeful_house_does_not_wait_for_its_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stargate.server.scaling.HASTE_S", 0.0)
    monkeypatch.setattr("stargate.server.scaling.LOOK_S", 3_600.0)
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": TO_ZERO})
        await stage.settle()
        stage.house.hosts.hear("gateway:eu", Load(node="a", models={"tiny": Wanted(waiting=1)}))
        for _ in range(100):
            await stage.settle()
            if await replicas(stage):
                break
        assert await replicas(stage) == 1
