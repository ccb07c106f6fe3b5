"""Routes say what is so, soon after it is so, and rise in version with every change and no other."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.record import Model, Routes, Scope
from stargate.gateway.routing import Map
from stargate.server.house import SERVER
from tests.server.serving import SERVICE, ServingEngine, replica, routes_when, serving
from tests.server.world import JOB, Caller, staged

pytestmark = pytest.mark.anyio

APPLICATION: dict[str, Any] = {"name": "shop", "role": "application", "scope": {"product": "api"}}


async def asked(gateway: Caller, version: int = -1, wait_s: int = 0) -> Routes | None:
    """As a gateway's host asks."""
    answer = await gateway.http.get(
        "/v1/gateway/routes",
        params={"version": version, "wait_s": wait_s},
        headers={"accept": "application/msgpack"},
    )
    assert answer.status_code in {200, 204}, answer.text
    if answer.status_code == 204:
        assert not answer.content
        return None
    assert answer.headers["content-type"].startswith("application/msgpack")
    found: Routes = wire.unpacker(Routes).decode(answer.content)
    return found


async def test_the_catalog_and_the_agreements_are_there_at_once(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        routes = await routes_when(stage, lambda routes: routes.agreements)
        assert routes.lab == "lab"
        assert [(model.id, model.fallbacks) for model in routes.models] == [("tiny", ("big",)), ("big", ())]
        (api,) = routes.endpoints
        assert (api.id, api.model, api.upstream_model, api.party) == (
            "foundry/big",
            "big",
            "Big-1",
            "microsoft",
        )
        assert (api.site, api.jurisdiction, api.secret, api.abort) == ("texas", "US-TX", "FOUNDRY", "drain")
        assert [agreement.id for agreement in routes.agreements] == ["ms-2025"]
        json = await (await stage.caller("gateway")).get("/v1/gateway/routes")
        assert json["endpoints"][0]["url"] == "https://models.example.com/v1"


async def test_a_replica_is_there_once_it_answers_and_gone_once_it_does_not(tmp_path: Path) -> None:
    engine = ServingEngine()
    async with replica() as one, replica() as two, staged(serving(tmp_path), engine) as stage:
        engine.addresses = {"chat.0.1": one.address, "chat.1.1": two.address}
        one.status = two.status = 503
        await stage.operator.post("/v1/keys", APPLICATION)
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SERVICE})
        await stage.tick(3)
        assert len((await routes_when(stage, lambda routes: routes.models)).endpoints) == 1
        one.status = two.status = 200
        routes = await routes_when(stage, lambda routes: len(routes.endpoints) == 3)
        found = {endpoint.id: endpoint for endpoint in routes.endpoints if endpoint.service}
        assert set(found) == {"chat.0.1", "chat.1.1"}
        first = found["chat.0.1"]
        assert (first.url, first.model, first.service) == (f"http://{one.address}/v1", "tiny", "chat")
        assert (first.provider, first.party, first.site, first.jurisdiction) == (
            "oci",
            "oracle-co",
            "texas",
            "US-TX",
        )
        assert (first.pool, first.chip, first.tenure, first.draining) == (
            "oci-h100",
            "H100-SXM",
            "owned",
            False,
        )
        assert Map(routes).ways(routes.applications[0], "tiny", Instant(time.time_ns() // 1_000)).open
        one.status = 500
        await routes_when(
            stage, lambda routes: "chat.0.1" not in {endpoint.id for endpoint in routes.endpoints}
        )
        await stage.operator.post("/v1/workloads/chat/scale", {"replicas": 1})
        await stage.settle()
        routes = await routes_when(
            stage, lambda routes: any(endpoint.draining for endpoint in routes.endpoints)
        )
        await stage.tick(3)
        await routes_when(stage, lambda routes: not any(endpoint.draining for endpoint in routes.endpoints))


async def test_what_a_service_calls_its_model_can_be_asked_for_until_it_is_cancelled(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        await stage.operator.post("/v1/workloads", {"id": "own", "yaml": SERVICE.replace("tiny", "ours")})
        await routes_when(stage, lambda routes: "ours" in {model.id for model in routes.models})
        await stage.tick(2)
        await stage.operator.post("/v1/workloads/own/cancel")
        await stage.tick(3)
        await routes_when(stage, lambda routes: "ours" not in {model.id for model in routes.models})


async def test_a_gateway_waits_for_what_is_new_and_hears_of_a_revoked_key(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        made = await stage.operator.post("/v1/keys", APPLICATION)
        before = await routes_when(stage, lambda routes: routes.applications)
        assert [each.id for each in before.applications] == [made["id"]]
        assert before.applications[0].scope == Scope(product="api")
        assert made["key"] not in str(before)
        assert await asked(gateway, before.version, 0) is None
        waiting = asyncio.create_task(asked(gateway, before.version, 5))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await stage.operator.post(f"/v1/keys/{made['id']}/revoke")
        after = await waiting
        assert after is not None
        assert after.version > before.version
        assert after.applications == ()


async def test_a_wait_ends_with_its_time_and_with_the_server(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        version = (await routes_when(stage, lambda routes: routes.agreements)).version
        assert await asked(gateway, version, 1) is None
        waiting = asyncio.create_task(asked(gateway, version, 8))
        await asyncio.sleep(0.05)
        stage.house.routing.release()
        async with asyncio.timeout(2):
            assert await waiting is None


async def test_what_is_none_of_a_gateways_business_makes_nothing_new(tmp_path: Path) -> None:
    """Runs come and go, other people's keys as well."""
    async with staged(serving(tmp_path)) as stage:
        version = (await routes_when(stage, lambda routes: routes.agreements)).version
        await stage.operator.post("/v1/workloads", {"id": "run", "yaml": JOB})
        await stage.tick(8)
        await stage.operator.post("/v1/keys", {"name": "k", "role": "engineer"})
        await stage.house.declare_files(SERVER)
        assert await stage.house.routing.newer(version, 0.2) is None
        await stage.operator.post("/v1/facts", {"name": "agi", "value": True})
        await routes_when(stage, lambda routes: routes.facts)


async def test_versions_rise_over_restarts(tmp_path: Path) -> None:
    config = serving(tmp_path)
    async with staged(config) as stage:
        first = await routes_when(stage, lambda routes: routes.agreements)
    async with staged(config) as stage:
        second = await routes_when(stage, lambda routes: routes.agreements)
    assert second.version > first.version
    assert second.endpoints == first.endpoints


async def test_the_first_routes_after_a_restart_have_the_replicas_that_answer(tmp_path: Path) -> None:
    """Gateways would drop them for a moment otherwise."""
    engine, config = ServingEngine(), serving(tmp_path)
    async with replica() as one:
        engine.addresses = {"chat.0.1": one.address, "chat.1.1": one.address}
        async with staged(config, engine) as stage:
            await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SERVICE})
            await stage.tick(3)
            await routes_when(stage, lambda routes: len(routes.endpoints) == 3)
        async with staged(config, engine) as stage:
            first = await routes_when(stage, lambda _: True)
            assert len(first.endpoints) == 3


async def test_a_part_that_cannot_be_made_does_not_keep_a_revoked_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(serving(tmp_path)) as stage:
        made = await stage.operator.post("/v1/keys", APPLICATION)
        before = await routes_when(stage, lambda routes: routes.applications)
        with monkeypatch.context() as broken:
            broken.setattr("stargate.server.routing.models", lambda *_: (Model("x" * 1_000),))
            await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": SERVICE})
            await stage.operator.post(f"/v1/keys/{made['id']}/revoke")
            after = await routes_when(stage, lambda routes: not routes.applications)
            assert after.models == before.models
            troubles = str((await stage.operator.get("/v1/status"))["troubles"])
            assert "gateways are not told newer services" in troubles
        async with asyncio.timeout(10):
            while stage.house.routing.troubles:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_only_gateways_and_operators_read_routes(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        for role in ("engineer", "finance", "application"):
            refused = await (await stage.caller(role)).http.get("/v1/gateway/routes")
            assert refused.status_code == 403


async def test_what_should_answer_by_now_is_among_the_troubles(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        late = SERVICE.replace("initial_delay_seconds: 60", "initial_delay_seconds: 0")
        await stage.operator.post("/v1/workloads", {"id": "chat", "yaml": late})
        await stage.tick(3)
        await asyncio.sleep(0.1)
        assert "2 of the replicas of chat" in str((await stage.operator.get("/v1/status"))["troubles"])
