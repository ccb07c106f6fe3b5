"""Whether a worker lives is one thing, whether it should be sent requests another."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.provider import Provider
from tests.gateway.serving.rig import Rig, endpoint, rig

pytestmark = pytest.mark.anyio


async def ready(made: Rig) -> tuple[int, Any]:
    call = await made.get("/health/ready")
    return call.status, json.loads(call.body)


async def test_a_worker_lives_before_it_is_ready(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        assert (await made.get("/health")).status == 200
        status, said = await ready(made)
        assert (status, said["status"], said["routes"]) == (503, "not ready", None)
        assert said["troubles"] == ["it has not been told any routes yet"]
        made.route(endpoint(provider))
        status, said = await ready(made)
        assert (status, said["troubles"], said["routes"]) == (200, [], 1)


async def test_with_routes_that_are_too_old_it_is_not_ready(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path, stale_s=60) as made:
        made.route(endpoint(provider))
        made.desk.heard_us = made.desk.clock_us() - 59_000_000
        status, said = await ready(made)
        assert (status, said["heard_s_ago"] >= 59) == (200, True)
        made.desk.heard_us = made.desk.clock_us() - 61_000_000
        status, said = await ready(made)
        assert status == 503
        assert "61 s" in said["troubles"][0]
        assert (await made.get("/health")).status == 200


async def test_without_a_disk_it_is_not_ready_until_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        assert (await ready(made))[0] == 200

        def fails(*_: object) -> int:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", fails)
            assert (await made.ask()).error["code"] == "cannot_record"
            status, said = await ready(made)
            assert status == 503
            assert "Input/output error" in said["troubles"][0]
        while (await ready(made))[0] != 200:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)
        assert (await made.ask()).status == 200
