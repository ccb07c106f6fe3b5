"""A request for a model that is scaled to zero waits for its first replica: so many, so long, and no longer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stargate.gateway.record import Busy, Model, Wanted
from stargate.gateway.serving.telling import load_of
from tests.gateway.provider import Provider
from tests.gateway.serving.rig import Call, Rig, chat, endpoint, key, rig

pytestmark = pytest.mark.anyio

WAKES = (Model("tiny", wakes=True), Model("big"))


async def until_waiting(made: Rig, count: int) -> None:
    """Until so many wait, and it is told."""
    for _ in range(1_000):
        if load_of(made.desk).models.get("tiny", Wanted()).waiting == count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{count} do not come to wait: {load_of(made.desk)}")


async def test_it_is_answered_when_a_replica_is_there(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(models=WAKES)
        calls = [asyncio.create_task(made.ask(stream=stream)) for stream in (False, True, True)]
        await until_waiting(made, 3)
        assert not any(call.done() for call in calls)
        made.route(models=WAKES)
        await asyncio.sleep(0.05)
        await until_waiting(made, 3)
        made.route(endpoint(provider), models=WAKES)
        assert [call.status for call in await asyncio.gather(*calls)] == [200, 200, 200]
        told = load_of(made.desk)
        assert told.models == {}
        assert told.endpoints == {f"at-{provider.port}": Busy(begun=3)}


async def test_one_that_is_going_away_is_nobody(tmp_path: Path) -> None:
    async with Provider() as old, Provider() as new, rig(tmp_path) as made:
        made.route(endpoint(old, draining=True), models=WAKES)
        call = asyncio.create_task(made.ask())
        await until_waiting(made, 1)
        made.route(endpoint(old, draining=True), endpoint(new), models=WAKES)
        assert (await call).status == 200
        assert not old.tally.requests


async def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with rig(tmp_path, wake_s=0.1) as made:
        made.route(models=WAKES)
        call = await made.ask()
        assert (call.status, call.error["code"]) == (503, "model_starting")
        assert "'tiny' is being started" in call.error["message"]
        assert call.headers["retry-after"] == "5"
        await until_waiting(made, 0)


async def test_only_so_many_wait(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path, waking_requests=2) as made:
        made.route(models=WAKES)
        calls = [asyncio.create_task(made.ask()) for _ in range(2)]
        await until_waiting(made, 2)
        refused = await made.ask()
        assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (
            503,
            "model_starting",
            "5",
        )
        made.route(endpoint(provider), models=WAKES)
        assert [(await call).status for call in calls] == [200, 200]
        assert (await made.ask()).status == 200


async def test_a_client_that_leaves_waits_no_more(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(models=WAKES)
        leaving = Call(chat())
        running = asyncio.create_task(made.run(leaving))
        await until_waiting(made, 1)
        leaving.leave()
        await running
        await until_waiting(made, 0)
        made.route(endpoint(provider), models=WAKES)
        assert leaving.status == 0
        assert not made.attempts()
        assert not provider.tally.requests


async def test_a_key_that_is_revoked_meanwhile_is_worth_nothing(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(models=WAKES)
        call = asyncio.create_task(made.ask())
        await until_waiting(made, 1)
        other = key()
        made.route(
            endpoint(provider), models=WAKES, application=type(other)(id="o", name="other", sha256="0" * 64)
        )
        assert (await call).status == 401


async def test_where_a_fallback_answers_nobody_waits_and_it_is_told_all_the_same(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        models = (Model("tiny", wakes=True, fallbacks=("big",)), Model("big"))
        made.route(endpoint(provider, model="big"), models=models)
        assert (await made.ask()).status == 200
        assert load_of(made.desk).models == {"tiny": Wanted(unserved=1)}


async def test_what_does_not_wake_is_refused_at_once_and_counted(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.route(models=(Model("tiny"),))
        call = await made.ask()
        assert (call.status, call.error["code"]) == (503, "no_endpoint")
        assert load_of(made.desk).models == {"tiny": Wanted(unserved=1)}


async def test_what_agreements_forbid_is_not_waited_for(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider, jurisdiction="US-TX"), models=WAKES, application=key(residency=("NO",)))
        assert (await made.ask()).status == 403
        assert load_of(made.desk).models == {}


async def test_what_is_open_at_an_endpoint_that_routes_no_longer_name_is_told(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider), models=WAKES)
        calling = Call(chat(stream=True, mock="tokens=20&pace_ms=20"))
        running = asyncio.create_task(made.run(calling))
        await calling.came.wait()
        made.route(models=WAKES)
        name = f"at-{provider.port}"
        assert load_of(made.desk).endpoints == {name: Busy(begun=1, open=1)}
        made.route(models=WAKES)
        assert load_of(made.desk).endpoints[name].open == 1
        await running
        assert calling.events[-1] == "[DONE]"
        assert load_of(made.desk).endpoints == {}
