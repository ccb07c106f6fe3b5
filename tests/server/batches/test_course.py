"""The course of a batch with a runner that the test plays itself: ends by time, by restart, by its workload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stargate.base import wire
from stargate.gateway.batch import Result, Results
from stargate.server.batches import Batch, Course
from stargate.server.config import Limits
from tests.server.serving import ServingEngine, serving
from tests.server.world import Caller, Stage, staged

pytestmark = pytest.mark.anyio

LINES = 4
INPUT = b"".join(
    b'{"custom_id": "r%d", "method": "POST", "url": "/v1/chat/completions",'
    b' "body": {"model": "tiny", "messages": []}}\n' % number
    for number in range(LINES)
)
SCOPE = {"product": "api", "team": "search", "residency": ["US"]}


async def application(stage: Stage) -> Caller:
    made = await stage.operator.post("/v1/keys", {"name": "app", "role": "application", "scope": SCOPE})
    return Caller(stage.app, made["key"])


async def begin(caller: Caller, content: bytes = INPUT, key: str = "") -> str:
    form = {"file": ("input.jsonl", content)}
    file = (await caller.http.post("/v1/files", files=form, data={"purpose": "batch"})).json()
    body = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    id: str = (await caller.post("/v1/batches", body, key))["id"]
    return id


async def until(caller: Caller, id: str, fit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found: dict[str, Any] = await caller.get(f"/v1/batches/{id}")
            if fit(found):
                return found
            await asyncio.sleep(0.02)


def is_(status: str) -> Callable[[dict[str, Any]], bool]:
    return lambda batch: batch["status"] == status


def runner(stage: Stage, id: str) -> Caller:
    token = (stage.house.config.local_engine / "secrets" / id).read_text()
    return Caller(stage.app, token)


async def tell(caller: Caller, id: str, *results: Result, epoch: int = 1) -> dict[str, Any]:
    answer = await caller.http.post(
        f"/v1/batches/{id}/results",
        content=wire.pack(Results(epoch, results)),
        headers={"content-type": "application/msgpack"},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ends(caller: Caller, file: str | None) -> list[Any]:
    if file is None:
        return []
    text = (await caller.http.get(f"/v1/files/{file}/content")).text
    return [msgspec.json.decode(line) for line in text.splitlines()]


async def test_its_time_is_over(tmp_path: Path) -> None:
    limits = Limits(request_s=10.0, probe_s=0.1, batch_s=1.5)
    async with staged(serving(tmp_path, limits=limits), ServingEngine()) as stage:
        app = await application(stage)
        id = await begin(app)
        await until(app, id, is_("in_progress"))
        assert (await tell(runner(stage, id), id, Result(1, 200, "req_1", b"{}")))["kept"] == 1
        async with asyncio.timeout(20):
            while (found := await app.get(f"/v1/batches/{id}"))["status"] != "expired":
                stage.engine.tick()
                await asyncio.sleep(0.02)
        assert found["request_counts"] == {"total": 4, "completed": 1, "failed": 0}
        (answered,) = await ends(app, found["output_file_id"])
        assert answered["custom_id"] == "r1"
        errors = await ends(app, found["error_file_id"])
        assert [each["custom_id"] for each in errors] == ["r0", "r2", "r3"]
        assert {each["error"]["code"] for each in errors} == {"batch_expired"}


async def test_it_is_a_workload_where_its_keys_requests_may_be_served(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        app = await application(stage)
        id = await begin(app)
        await until(app, id, is_("in_progress"))
        work = (await stage.operator.get(f"/v1/workloads/{id}"))["workload"]
        wanted = {"kind": "batch", "product": "api", "team": "search", "model": "tiny", "residency": ["US"]}
        assert {name: work.get(name, "batch") for name in wanted} == wanted
        assert work["priority"] < 0
        assert work["secrets"] == {"STARGATE_BATCH_KEY": {"from": id}}


async def test_a_restart_at_every_step_loses_nothing(tmp_path: Path) -> None:
    engine = ServingEngine()
    config = serving(tmp_path)
    async with staged(config, engine) as stage:
        app = await application(stage)
        key = app.http.headers["authorization"].removeprefix("Bearer ")
        id = await begin(app)
    async with staged(config, engine) as stage:
        app = Caller(stage.app, key)
        await until(app, id, is_("in_progress"))
        await tell(runner(stage, id), id, Result(0, 200, "req_0", b"{}"), Result(3, 200, "req_3", b"{}"))
    async with staged(config, engine) as stage:
        app, run = Caller(stage.app, key), runner(stage, id)
        assignment = await run.post(f"/v1/batches/{id}/assignment?epoch=2")
        assert (assignment["done"], assignment["open"]) == ([[0, 1], [3, 4]], True)
        assert (await run.http.get(f"/v1/batches/{id}/input")).content == INPUT
        assert assignment["input_bytes"] == len(INPUT)
        standing = await tell(run, id, Result(1, 200, "a", b"{}"), Result(2, 400, "b", b"{}"), epoch=2)
        assert standing == {"open": False, "kept": 4}
    async with staged(config, engine) as stage:
        app = Caller(stage.app, key)
        found = await until(app, id, is_("completed"))
        assert found["request_counts"] == {"total": 4, "completed": 3, "failed": 1}
        assert len(await ends(app, found["output_file_id"])) == 3
        assert not (stage.house.config.local_engine / "secrets" / id).exists()
        assert all(each.role != "batch" for each in stage.house.keyring.all())


async def test_of_two_runners_the_newer_goes_on(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        app = await application(stage)
        id = await begin(app)
        await until(app, id, is_("in_progress"))
        run = runner(stage, id)
        for epoch, is_open in ((1, True), (2, True), (1, False)):
            assert (await run.post(f"/v1/batches/{id}/assignment?epoch={epoch}"))["open"] is is_open
        assert not (await tell(run, id, Result(0, 200, "old", b"{}"), epoch=1))["open"]
        assert (await tell(run, id, Result(0, 200, "new", b"{}"), epoch=2)) == {"open": True, "kept": 1}


async def test_its_workload_is_cancelled(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        app = await application(stage)
        id = await begin(app)
        await until(app, id, is_("in_progress"))
        await stage.operator.post(f"/v1/workloads/{id}/cancel")
        await stage.tick(4)
        found = await until(app, id, is_("cancelled"))
        assert [each["code"] for each in found["errors"]["data"]] == ["workload_cancelled"]
        assert len(await ends(app, found["error_file_id"])) == LINES


@pytest.mark.parametrize(("content", "lines"), [(INPUT, LINES), (b"{\n", 0)])
async def test_cancelled_while_it_is_checked_it_never_runs(
    tmp_path: Path, content: bytes, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begin_it = asyncio.Event(), Course._begin

    async def wait(course: Course, batch: Batch) -> None:
        await held.wait()
        await begin_it(course, batch)

    monkeypatch.setattr(Course, "_begin", wait)
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        app = await application(stage)
        id = await begin(app, content)
        await app.post(f"/v1/batches/{id}/cancel")
        held.set()
        found = await until(app, id, is_("cancelled"))
        assert len(await ends(app, found["error_file_id"])) == lines
        assert (await stage.operator.http.get(f"/v1/workloads/{id}")).status_code == 404


async def test_made_once_for_one_key(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        app = await application(stage)
        first = await begin(app, key="once")
        body = {
            "input_file_id": (await app.get(f"/v1/batches/{first}"))["input_file_id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        assert (await app.post("/v1/batches", body, "once"))["id"] == first
        assert (await app.post("/v1/batches", body))["id"] != first
        answer = await app.send("/v1/batches", body | {"endpoint": "/v1/embeddings"}, "once")
        assert answer.status_code == 409


FORM = "multipart/form-data; boundary=x"
PART = b"--x\r\nContent-Disposition: form-data; name="
FORMS: list[tuple[bytes, str]] = [
    (b"", FORM),
    (b"--x", FORM),
    (b"--x\r\n\r\n\r\n--x--\r\n", FORM),
    (PART + b'"file"; filename="a"\r\n\r\n{}', FORM),
    (PART + b'"purpose"\r\n\r\n' + b"b" * 5_000 + b"\r\n--x--\r\n", FORM),
    (PART + b'"purpose"\r\n\r\n\xff\r\n--x--\r\n', FORM),
    (PART + b'"file"; filename="a"\r\n\r\n{}\r\n' * 3 + b"--x--\r\n", FORM),
    (b"--x\r\n" + b"A: b\r\n" * 1_000, FORM),
    (b"{}", "application/json"),
    (b"{}", "multipart/form-data"),
    (b"{}", "multipart/form-data; boundary="),
    (b"{}", ""),
]  # fmt: skip


async def test_forms_that_nobody_should_send_leave_nothing_behind(tmp_path: Path) -> None:
    async with staged(serving(tmp_path), ServingEngine()) as stage:
        app = await application(stage)
        for body, kind in FORMS:
            answer = await app.http.post("/v1/files", content=body, headers={"content-type": kind})
            assert 400 <= answer.status_code < 500, (body[:60], kind, answer.text)
            assert answer.json()["error"]["remedy"], body[:60]
        assert (await app.get("/v1/files"))["data"] == []
        assert not list(stage.house.config.batches.glob("file-*"))
