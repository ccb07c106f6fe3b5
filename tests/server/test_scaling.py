"""Replicas follow the load: up at once, down when they have not been needed for a while, within the bounds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from stargate.base.time import SECOND, Instant
from stargate.broker import State
from stargate.broker.fact import Scaled
from stargate.server.scaling import LATE_S, RATE_S, STEADY_S, Load, Scaler, need
from stargate.workloads.workload import Service
from tests.server.serving import SERVICE, ServingEngine, serving
from tests.server.told import shipment, told
from tests.server.world import Stage, staged

pytestmark = pytest.mark.anyio

SCALING = SERVICE.replace(
    "replicas: 2", "replica_policy: {min_replicas: 1, max_replicas: 4, target_qps_per_replica: 2}"
)
NOW = Instant.parse("2026-03-02T10:00:00Z")


@pytest.mark.parametrize(
    ("per_second", "replicas"), [("0", 1), ("1.9", 1), ("2", 1), ("2.1", 2), ("7.9", 4), ("1000", 4)]
)
def test_as_many_as_a_rate_needs_within_the_bounds(per_second: str, replicas: int) -> None:
    for least in (0, 1):
        service = Service(min_replicas=least, max_replicas=4, target_qps_per_replica=Decimal(2))
        assert need(service, Decimal(per_second)) == replicas


def test_a_rate_is_the_mean_of_what_has_been_told() -> None:
    load = Load()
    for second in range(RATE_S):
        for _ in range(6):
            load.note("chat", NOW - (LATE_S + 1 + second) * SECOND)
    load.note("chat", NOW)
    load.note("other", NOW - 5 * SECOND)
    assert load.per_second("chat", NOW) == 6
    assert load.per_second("nobody", NOW) == 0
    load.forget(["chat"], Instant(NOW + 10 * SECOND))
    assert load.per_second("other", NOW) == 0
    assert load.per_second("chat", Instant(NOW + 60 * SECOND)) == 0


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The house's own scaler does not look: it knows nothing of the loads of these tests."""
    monkeypatch.setattr("stargate.server.scaling.LOOK_S", 3_600)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Instant:
        return self.now

    def pass_s(self, seconds: int) -> None:
        self.now = self.now.plus(seconds * SECOND)


async def replicas(stage: Stage) -> int:
    await stage.tick()

    def view(state: State) -> int:
        return state.records.workloads["chat"].replicas

    return await stage.house.driver.read(view)


async def test_a_service_follows_its_load(tmp_path: Path) -> None:
    clock, load = Clock(), Load()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.tick(3)
        scaler = Scaler(stage.house.driver, load)

        async def after(seconds: int, per_second: int) -> int:
            """How many there are after so long under a load."""
            for _ in range(0, seconds, 5):
                for second in range(5):
                    for _ in range(per_second):
                        load.note("chat", clock.now + second * SECOND)
                clock.pass_s(5)
                await scaler.look()
            return await replicas(stage)

        assert await after(30, 1) == 1
        assert await after(30, 5) == 3
        assert await after(30, 50) == 4, "never more than the bound"
        assert await after(STEADY_S - 60, 1) == 4, "they were needed a moment ago"
        assert await after(90, 3) == 2
        assert await after(STEADY_S + 30, 0) == 1, "never fewer than the bound"


async def test_after_a_restart_nothing_goes_until_the_past_is_known(tmp_path: Path) -> None:
    clock, load = Clock(), Load()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.operator.post("/v1/workloads/chat/scale", {"replicas": 3})
        await stage.tick(3)
        scaler = Scaler(stage.house.driver, load)
        for _ in range(0, STEADY_S, 5):
            await scaler.look()
            assert await replicas(stage) == 3
            clock.pass_s(5)
        clock.pass_s(5)
        await scaler.look()
        assert await replicas(stage) == 1


async def test_a_service_at_rest_and_one_without_target_are_left_alone(tmp_path: Path) -> None:
    clock, load = Clock(), Load()
    async with staged(serving(tmp_path), ServingEngine(), clock=clock) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.operator.post("/v1/workloads", {"id": "fixed", "yaml": SERVICE})
        await stage.operator.post("/v1/workloads/chat/scale", {"replicas": 0})
        await stage.tick(3)
        scaler = Scaler(stage.house.driver, load)
        for _ in range(100):
            clock.pass_s(5)
            load.note("fixed", clock.now - 5 * SECOND)
            load.note("chat", clock.now - 5 * SECOND)
            await scaler.look()
        await stage.settle()
        facts = [entry.fact for entry in await stage.house.history.entries(0, 1_000)]
        assert [fact.replicas for fact in facts if isinstance(fact, Scaled)] == [0], "as somebody asked"


async def test_what_gateways_tell_is_the_load(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SCALING})
        await stage.tick(3)
        sent = shipment(*(told(seq, endpoint="chat.0.1") for seq in range(1, 31)), told(31))
        for _ in range(2):
            await stage.house.intake.take(sent, "gateway:eu")
        at = Instant(NOW + (RATE_S + LATE_S) * SECOND)
        assert stage.house.intake.load.per_second("chat", at) == 2, "each once, and nothing of an API"
