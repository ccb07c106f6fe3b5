"""A replica that is to stop is stopped when no gateway has a request open there, and at the end of its grace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stargate.base import wire
from stargate.gateway.record import Busy, Load, Routes
from tests.server.serving import SERVICE, ServingEngine, replica, routes_when, serving
from tests.server.world import POLICY, Caller, Stage, configured, staged

pytestmark = pytest.mark.anyio

ONE = "chat.1.1"
OTHERS = "name: job\nresources: {accelerators: H100:8}\nrun: echo hello\n"


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that run have told of themselves."""
    monkeypatch.setattr("stargate.server.hosts.HEAR_S", 0)


@asynccontextmanager
async def scaled(
    folder: Path, engine: ServingEngine, grace: str = "30s"
) -> AsyncIterator[tuple[Stage, Caller]]:
    """Two replicas that answer, a gateway that uses them; the second is being scaled away."""
    config = serving(folder)
    (folder / "policy.yaml").write_text(POLICY.replace("stop_grace: 2s", f"stop_grace: {grace}"))
    async with replica() as one, replica() as two, staged(config, engine) as stage:
        gateway = await stage.caller("gateway")
        engine.addresses = {"chat.0.1": one.address, ONE: two.address}
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SERVICE})
        await stage.tick(3)
        before = await routes_when(stage, lambda routes: len(routes.endpoints) == 3)
        await tell(gateway, before.version, 1)
        await stage.operator.post("/v1/workloads/chat/scale", {"replicas": 1})
        yield stage, gateway


async def tell(gateway: Caller, version: int, opened: int, node: str = "a") -> None:
    load = Load(node=node, routes=version, endpoints={ONE: Busy(open=opened)})
    headers = {"content-type": "application/msgpack"}
    answer = await gateway.http.post("/v1/gateway/load", content=wire.pack(load), headers=headers)
    assert answer.is_success, answer.text
    assert answer.json()["at"]


def is_asked(engine: ServingEngine) -> bool:
    """Whether the engine was asked to stop it."""
    return engine._attempts[ONE].stopping


async def drained(stage: Stage) -> Routes:
    """The routes that say so."""
    return await routes_when(stage, lambda routes: any(each.draining for each in routes.endpoints))


async def test_it_is_stopped_when_every_gateway_has_let_go_of_it(tmp_path: Path) -> None:
    engine = ServingEngine()
    async with scaled(tmp_path, engine) as (stage, gateway):
        routes = await drained(stage)
        assert [each.id for each in routes.endpoints if each.draining] == [ONE]
        for version, opened in ((routes.version - 1, 0), (routes.version, 2), (routes.version, 1)):
            await tell(gateway, version, opened)
            await asyncio.sleep(0.3)
            assert not is_asked(engine), "it finishes what it has"
            assert stage.house.draining.pending == 1
        status = await stage.operator.get("/v1/status")
        assert status["effects_pending"] == 1
        await tell(gateway, routes.version, 0)
        await stage.tick(3)
        assert is_asked(engine)
        shown = await stage.operator.get("/v1/workloads/chat")
        assert [each["status"] for each in shown["attempts"]] == ["running", "ended"]


async def test_it_is_stopped_at_the_end_of_its_grace(tmp_path: Path) -> None:
    engine = ServingEngine()
    async with scaled(tmp_path, engine, grace="1s") as (stage, gateway):
        routes = await drained(stage)
        await tell(gateway, routes.version, 5)
        await asyncio.sleep(0.5)
        assert not is_asked(engine)
        await stage.settle()
        assert is_asked(engine)


async def test_a_restart_does_not_forget_it(tmp_path: Path) -> None:
    engine = ServingEngine()
    async with scaled(tmp_path, engine) as (stage, gateway):
        routes = await drained(stage)
        await tell(gateway, routes.version, 1)
    assert not is_asked(engine)
    async with replica() as two, staged(serving(tmp_path), engine) as stage:
        engine.addresses[ONE] = two.address
        gateway = await stage.caller("gateway")
        await tell(gateway, 0, 1)
        routes = await drained(stage)
        assert not is_asked(engine)
        await tell(gateway, routes.version, 0)
        await stage.settle()
        assert is_asked(engine)


async def test_a_cancelled_service_drains_as_well(tmp_path: Path) -> None:
    engine = ServingEngine()
    async with scaled(tmp_path, engine) as (stage, gateway):
        await stage.operator.post("/v1/workloads/chat/cancel")
        routes = await routes_when(stage, lambda routes: sum(each.draining for each in routes.endpoints) == 2)
        await tell(gateway, routes.version, 1)
        for _ in range(30):
            await asyncio.sleep(0.05)
        assert engine._attempts["chat.0.1"].stopping, "nothing is open there"
        assert not is_asked(engine)
        await tell(gateway, routes.version, 0)
        await stage.tick(3)
        assert (await stage.operator.get("/v1/workloads/chat"))["status"] == "cancelled"


async def test_jobs_and_what_never_ran_do_not_wait(tmp_path: Path) -> None:
    engine = ServingEngine()
    async with staged(configured(tmp_path), engine) as stage:
        gateway = await stage.caller("gateway")
        await tell(gateway, 0, 1)
        await stage.operator.post("/v1/workloads", {"id": "job", "yaml": OTHERS})
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SERVICE})
        await stage.settle()
        await stage.operator.post("/v1/workloads/job/cancel")
        await stage.operator.post("/v1/workloads/chat/cancel")
        await stage.settle()
        assert all(engine._attempts[id].stopping for id in ("job.0.1", "chat.0.1", ONE))
