from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stargate.engines.fake import FakeEngine, Script
from stargate.server.api.attempts import _partial
from tests.server.world import JOB, Stage, configured, staged, unheard

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    engine = FakeEngine(unheard, script=lambda _: Script(ticks=4))
    async with staged(configured(tmp_path), engine) as stage:
        yield stage


async def test_a_run_from_submission_to_its_end(stage: Stage) -> None:
    accepted = await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    assert accepted == {"id": "a", "seq": accepted["seq"], "repeated": False}
    seen = []
    for _ in range(8):
        await stage.settle()
        shown = await stage.operator.get("/v1/workloads/a")
        if shown["status"] not in seen:
            seen.append(shown["status"])
        stage.engine.tick()
    assert seen == ["starting", "running", "succeeded"]
    (attempt,) = shown["attempts"]
    assert attempt["outcome"] == "done"
    assert attempt["progress"]["done"]
    assert attempt["metrics"] == {"loss": "2.5"}
    assert shown["provider"] == "oci", "owned capacity costs nothing more"
    assert "cheapest" in attempt["grounds"][0]["says"]
    logs = await stage.operator.get("/v1/attempts/a.0.1/logs")
    assert logs["text"].startswith("tick 0\n")
    assert logs["ended"]


async def test_an_id_is_made_where_none_is_given(stage: Stage) -> None:
    ids = {(await stage.operator.post("/v1/workloads", {"yaml": JOB}))["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(id.startswith("job-") for id in ids)


async def test_a_submission_that_is_sent_again_is_one_submission(stage: Stage) -> None:
    first = await stage.operator.post("/v1/workloads", {"yaml": JOB}, key="k1")
    again = await stage.operator.post("/v1/workloads", {"yaml": JOB}, key="k1")
    other = await stage.operator.post("/v1/workloads", {"yaml": JOB}, key="k2")
    assert again == first | {"repeated": True}
    assert other["id"] != first["id"]
    assert (await stage.operator.get("/v1/workloads"))["total"] == 2


async def test_the_same_id_for_something_else_is_a_conflict(stage: Stage) -> None:
    await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    error = await stage.operator.refused(
        409, "/v1/workloads", {"id": "a", "yaml": JOB.replace("hello", "bye")}
    )
    assert error["type"] == "StateConflictError"


async def test_yaml_or_a_record_and_not_both(stage: Stage) -> None:
    record = {"name": "r", "run": "echo hello", "alternatives": [{"chip": "H100", "chips_per_node": 8}]}
    assert (await stage.operator.post("/v1/workloads", {"workload": record}))["id"].startswith("r-")
    for body in ({}, {"yaml": JOB, "workload": record}):
        assert "one of them only" in (await stage.operator.refused(422, "/v1/workloads", body))["message"]


async def test_a_fault_of_the_yaml_is_named_with_its_line(stage: Stage) -> None:
    error = await stage.operator.refused(422, "/v1/workloads", {"yaml": "name: x\nnum_nodes: many\n"})
    assert error["problems"][0]["line"] == 2
    assert error["problems"][0]["path"] == "num_nodes"


async def test_an_unknown_chip_is_named(stage: Stage) -> None:
    error = await stage.operator.refused(404, "/v1/workloads", {"yaml": JOB.replace("H100", "H1000")})
    assert "H1000" in error["message"]


async def test_lists_come_in_pages_newest_first(stage: Stage) -> None:
    for n in range(5):
        await stage.operator.post("/v1/workloads", {"id": f"j{n}", "yaml": JOB})
    seen, after = [], ""
    for _ in range(3):
        page = await stage.operator.get("/v1/workloads", limit=2, after=after)
        assert page["total"] == 5
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
    assert seen == ["j4", "j3", "j2", "j1", "j0"]
    assert after is None


async def test_a_list_of_one_state(stage: Stage) -> None:
    await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    await stage.operator.post("/v1/workloads", {"id": "big", "yaml": f"{JOB}num_nodes: 99\n"})
    await stage.tick(8)

    async def ids(state: str) -> list[str]:
        return [item["id"] for item in (await stage.operator.get("/v1/workloads", state=state))["items"]]

    assert await ids("succeeded") == ["a"]
    assert await ids("waiting") == ["big"]
    assert await ids("active") == ["big"]
    assert await ids("running") == []


async def test_cancelling(stage: Stage) -> None:
    await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    await stage.tick(2)
    await stage.operator.post("/v1/workloads/a/cancel")
    assert (await stage.operator.get("/v1/workloads/a"))["status"] == "cancelling"
    again = await stage.operator.post("/v1/workloads/a/cancel")
    assert again["seq"] == 0
    await stage.tick(2)
    shown = await stage.operator.get("/v1/workloads/a")
    assert shown["status"] == "cancelled"
    assert shown["attempts"][0]["stop_reason"] == "cancelled"
    await stage.operator.post("/v1/workloads", {"id": "b", "yaml": JOB})
    await stage.tick(8)
    await stage.operator.refused(409, "/v1/workloads/b/cancel")


async def test_scaling_a_service(stage: Stage) -> None:
    service = "name: web\nresources: {accelerators: H100:8}\nrun: serve\nservice: {replicas: 2, readiness_probe: /}\n"
    await stage.operator.post("/v1/workloads", {"id": "web", "yaml": service})
    await stage.settle()
    assert (await stage.operator.get("/v1/workloads/web"))["slots_placed"] == 2
    await stage.operator.post("/v1/workloads/web/scale", {"replicas": 4})
    await stage.settle()
    shown = await stage.operator.get("/v1/workloads/web")
    assert (shown["replicas"], shown["slots_placed"]) == (4, 4)
    await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    await stage.operator.refused(409, "/v1/workloads/a/scale", {"replicas": 2})
    await stage.operator.refused(422, "/v1/workloads/web/scale", {"replicas": -1})


async def test_the_waiting_are_explained_as_of_now_and_the_placed_as_of_then(stage: Stage) -> None:
    await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    await stage.operator.post("/v1/workloads", {"id": "big", "yaml": f"{JOB}num_nodes: 99\n"})
    await stage.settle()
    now = await stage.operator.get("/v1/explain/big")
    assert (now["seq"], now["kind"]) == (0, "")
    assert {candidate["verdict"] for candidate in now["candidates"]} <= {"busy", "excluded"}
    placed = await stage.operator.get("/v1/explain/a")
    assert placed["kind"] == "placed"
    assert placed["candidates"][0]["verdict"] == "best"
    assert placed["candidates"][0]["pool"] == "oci-h100"
    assert placed == await stage.operator.get(f"/v1/explain/{placed['seq']}") | {"subject": "a"}
    assert placed["grounds"]
    few = await stage.operator.get("/v1/explain/a", limit=1)
    assert len(few["candidates"]) == 1
    assert few["candidates_total"] == placed["candidates_total"] > 1


async def test_an_entry_about_no_place_is_explained_by_its_grounds(stage: Stage) -> None:
    await stage.operator.post("/v1/supply", {"scope": "pool", "id": "oci-h100", "status": "draining"})
    head = (await stage.operator.get("/v1/status"))["seq"]
    shown = await stage.operator.get(f"/v1/explain/{head}")
    assert shown["kind"] == "supply_marked"
    assert "operator said so" in shown["summary"]
    assert shown["candidates"] == []
    assert (await stage.operator.http.get("/v1/explain/99999")).status_code == 404
    assert (await stage.operator.http.get("/v1/explain/nobody")).status_code == 404


@pytest.mark.parametrize(
    ("data", "partial"),
    [
        (b"", 0),
        (b"abc", 0),
        ("é".encode(), 0),
        ("é".encode()[:1], 1),
        ("€".encode()[:2], 2),
        ("😀".encode()[:3], 3),
        ("😀".encode(), 0),
        (b"\x80\x80\x80\x80\x80", 0),
        (b"\xff", 0),
    ],
)
def test_a_character_is_not_cut_in_two(data: bytes, partial: int) -> None:
    assert _partial(data) == partial
