from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from stargate.server.api.gate import HEADERS, Gate
from stargate.server.config import Limits
from tests.server.world import JOB, Stage, configured, staged

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(configured(tmp_path)) as stage:
        yield stage


def client(app: Any) -> httpx.AsyncClient:
    gate: Any = Gate(app, Limits(concurrent_requests=2, request_s=0.2))
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://stargate")


async def answer(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


async def test_every_answer_has_the_headers(stage: Stage) -> None:
    for path in ("/health", "/v1/status", "/nothing", "/schema/openapi.json"):
        headers = (await stage.operator.http.get(path)).headers
        for name, value in HEADERS:
            assert headers[name.decode()] == value.decode()
        assert "traceback" not in headers


async def test_errors_have_one_shape(stage: Stage) -> None:
    http = stage.operator.http
    for asked, status in (
        (http.get("/nothing"), 404),
        (http.get("/v1/workloads/none"), 404),
        (http.delete("/v1/workloads"), 405),
        (http.get("/v1/workloads", params={"limit": "many"}), 422),
        (http.post("/v1/workloads", content=b"{"), 415),
        (http.post("/v1/workloads", content=b"{", headers={"Content-Type": "application/json"}), 422),
        (http.post("/v1/workloads", json={"yaml": "x" * 2_000_000}), 413),
        (http.get("/v1/status", headers={"Authorization": ""}), 401),
    ):
        found = await asked
        assert found.status_code == status
        error = found.json()["error"]
        assert error["type"]
        assert error["message"]
        assert error["remedy"]


async def test_the_document_and_the_health_check_need_no_key(stage: Stage) -> None:
    stage.operator.http.headers.pop("Authorization")
    assert (await stage.operator.http.get("/schema/openapi.json")).json()["info"]["title"] == "Stargate"
    assert (await stage.operator.http.get("/health")).json() == {"status": "ok"}
    assert (await stage.operator.http.get("/schema")).status_code in {404, 200}


async def test_a_request_that_takes_too_long_is_answered() -> None:
    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async with client(hangs) as asking:
        found = await asking.get("/")
    assert found.status_code == 503
    assert "0.2 s" in found.json()["error"]["message"]


async def test_so_many_at_once_and_no_more() -> None:
    gate_open = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await gate_open.wait()
        await answer(send)

    async with client(waits) as asking:
        inside = [asyncio.create_task(asking.get("/")) for _ in range(2)]
        await asyncio.sleep(0.02)
        assert (await asking.get("/")).status_code == 503
        gate_open.set()
        assert [found.status_code for found in await asyncio.gather(*inside)] == [200, 200]
        assert (await asking.get("/")).status_code == 200


async def test_what_nobody_caught_is_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("secret")

    async with client(breaks) as asking:
        found = await asking.get("/")
    assert found.status_code == 500
    assert "secret" not in found.text
    assert "secret" in caplog.text


async def test_a_server_that_had_to_stop_says_so(stage: Stage) -> None:
    stage.house.driver.failure = "the server had to stop: the disk is full"
    for found in (
        await stage.operator.http.get("/v1/workloads"),
        await stage.operator.send("/v1/workloads", {"yaml": JOB}),
    ):
        assert found.status_code == 503
        assert "disk is full" in found.json()["error"]["message"]
    assert (await stage.operator.http.get("/health")).status_code == 503
    stage.house.driver.failure = ""


async def test_too_many_commands_are_429(tmp_path: Path) -> None:
    config = configured(tmp_path, limits=Limits(inbox_commands=0))
    bare = msgspec.structs.replace(config, infrastructure=(), agreements=(), policy=())
    async with staged(bare) as stage:
        found = await stage.operator.send("/v1/facts", {"name": "x", "value": 1})
        assert found.status_code == 429
        assert found.json()["error"]["type"] == "LimitError"
