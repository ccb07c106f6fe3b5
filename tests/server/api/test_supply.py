"""Pools, facts, the journal, declarations: what an operator looks after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.world import INFRASTRUCTURE, JOB, POLICY, TERMS, Stage, configured, need, staged

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(configured(tmp_path)) as stage:
        yield stage


async def test_pools_with_their_use(stage: Stage) -> None:
    await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    await stage.operator.post("/v1/needs", need("n"))
    page = await stage.operator.get("/v1/pools")
    assert page["total"] == 5
    pools = {pool["id"]: pool for pool in page["items"]}
    assert pools["oci-h100"]["chips_in_use"] == 8
    assert pools["oci-h100"]["party"] == "oracle-co"
    assert (pools["aws-h200"]["chips"], pools["aws-h200"]["chips_held"]) == (32, 8)
    assert pools["azure-h200"]["chips_held"] == 0
    assert pools["azure-h100"]["price_micro_usd_per_chip_hour"] == 2_000_000
    assert (page["chips"], page["chips_held"], page["chips_in_use"]) == (160, 72, 8)


async def test_pools_by_provider_site_and_chip(stage: Stage) -> None:
    async def ids(**query: str) -> list[str]:
        return [pool["id"] for pool in (await stage.operator.get("/v1/pools", **query))["items"]]

    assert await ids(provider="oci") == ["oci-h100", "oci-h200"]
    assert await ids(site="oslo") == ["oci-h200"]
    assert await ids(provider="oci", chip="H100-SXM") == ["oci-h100"]
    assert await ids(chip="none") == []
    assert (await stage.operator.get("/v1/pools/oci-h100"))["site"] == "texas"


async def test_draining_a_pool_moves_its_work(stage: Stage) -> None:
    await stage.operator.post("/v1/workloads", {"id": "a", "yaml": JOB})
    await stage.tick(1)
    receipt = await stage.operator.post(
        "/v1/supply", {"scope": "pool", "id": "oci-h100", "status": "draining"}
    )
    assert receipt["seq"] > 0
    await stage.tick(2)
    shown = await stage.operator.get("/v1/workloads/a")
    assert [attempt["pool"] for attempt in shown["attempts"]] == ["oci-h100", "azure-h100"]
    assert (await stage.operator.get("/v1/pools/oci-h100"))["status"] == "draining"
    again = await stage.operator.post("/v1/supply", {"scope": "pool", "id": "oci-h100", "status": "draining"})
    assert again["seq"] == 0


async def test_counting_the_nodes_of_a_pool(stage: Stage) -> None:
    await stage.operator.post("/v1/pools/oci-h100/capacity", {"nodes": 2})
    assert (await stage.operator.get("/v1/pools/oci-h100"))["chips"] == 16
    await stage.operator.refused(400, "/v1/pools/oci-h100/capacity", {"nodes": 500})
    await stage.operator.refused(404, "/v1/supply", {"scope": "site", "id": "mars", "status": "lost"})


async def test_facts_are_recorded_as_of_now(stage: Stage) -> None:
    await stage.operator.post("/v1/facts", {"name": "agi_revenue_usd", "value": 99_990_000_000})
    await stage.operator.post(
        "/v1/facts",
        {
            "name": "down/microsoft",
            "value": True,
            "status": "verified",
            "verified_by": "panel",
            "source": "letter",
        },
    )
    page = await stage.operator.get("/v1/facts", limit=1)
    assert page["total"] == 2
    assert page["items"][0]["name"] == "down/microsoft"
    rest = await stage.operator.get("/v1/facts", limit=1, after=page["next"])
    assert rest["items"][0]["value"] == 99_990_000_000
    assert rest["next"] is None
    error = await stage.operator.refused(422, "/v1/facts", {"name": "x", "value": 1, "status": "verified"})
    assert "verified_by" in error["remedy"]


async def test_a_fact_that_is_sent_again_is_one_fact(stage: Stage) -> None:
    for _ in range(3):
        await stage.operator.post("/v1/facts", {"name": "x", "value": 1}, key="same")
    assert (await stage.operator.get("/v1/facts"))["total"] == 1


async def test_the_journal_in_pages(stage: Stage) -> None:
    for n in range(4):
        await stage.operator.post("/v1/facts", {"name": f"f{n}", "value": n})
    seen, after = [], 0
    while True:
        page = await stage.operator.get("/v1/journal", limit=2, after=after)
        seen += page["items"]
        if page["next"] is None:
            break
        after = page["next"]
    assert [entry["seq"] for entry in seen] == list(range(1, page["total"] + 1))
    assert seen[0]["kind"] == "declared"
    assert seen[1]["fact"]["fact"]["name"] == "f0"
    key = (await stage.operator.get("/v1/keys"))["items"][0]["id"]
    assert seen[1]["cause"].startswith(f"{key}/"), "the journal says whose key asked"
    check = await stage.operator.get("/v1/journal/verify")
    assert check["ok"]
    assert check["head"] == page["head"]


async def test_a_fact_too_large_for_a_page_is_named_by_its_size(stage: Stage) -> None:
    many = INFRASTRUCTURE + "".join(
        f"  - {{<<: *pool, id: p{n}, provider: oci, tenure: owned, note: {'n' * 400}}}\n" for n in range(200)
    )
    await stage.operator.post("/v1/declare", {"yaml": f"{many}\n---\n{POLICY}"})
    entry = (await stage.operator.get("/v1/journal", after=1))["items"][0]
    assert set(entry["fact"]) == {"type", "omitted_bytes"}


async def test_declaring_a_text(stage: Stage) -> None:
    text = f"{INFRASTRUCTURE.replace('nodes: 4', 'nodes: 7')}\n---\n{POLICY}"
    found = await stage.operator.post("/v1/declare", {"yaml": text})
    assert (found["providers"], found["pools"], found["agreements"]) == (3, 5, 0)
    assert (await stage.operator.get("/v1/pools/oci-h100"))["nodes"] == 7
    assert (await stage.operator.post("/v1/declare", {"yaml": text}))["seq"] == 0
    error = await stage.operator.refused(422, "/v1/declare", {"yaml": "pools: [{id: x}]\nnonsense: 1"})
    assert len(error["problems"]) > 1


async def test_declaring_the_files_again(stage: Stage, tmp_path: Path) -> None:
    assert (await stage.operator.post("/v1/declare"))["seq"] == 0
    configured(tmp_path, INFRASTRUCTURE.replace("nodes: 4", "nodes: 8"))
    assert (await stage.operator.post("/v1/declare"))["seq"] > 0
    assert (await stage.operator.get("/v1/pools/oci-h100"))["nodes"] == 8


async def test_status_says_what_to_look_at(stage: Stage) -> None:
    stage.house.warnings.append("a snapshot was passed over")
    shown = await stage.operator.get("/v1/status", digest="yes")
    assert shown["digest"] == stage.digest()
    assert "a snapshot was passed over" in shown["troubles"]
    assert shown["head"].startswith(f"{shown['seq']}:")
    assert shown["counts"]["pools"] == 5
    assert (shown["actor"], shown["role"]) == ("operator", "operator")


async def test_a_need_from_opening_to_withdrawal(stage: Stage) -> None:
    opened = await stage.operator.post("/v1/needs", need("", chips=16) | {"id": ""}, key="k")
    again = await stage.operator.post("/v1/needs", need("", chips=16) | {"id": ""}, key="k")
    id = opened["need"]["id"]
    assert id.startswith("need-")
    assert again["need"]["id"] == id
    assert again["repeated"]
    (offer,) = opened["need"]["offers"]
    assert (await stage.operator.get("/v1/offers", state="open"))["total"] == 1
    revised = await stage.operator.post(
        f"/v1/needs/{id}/revise", {"requirement": need("", chips=24)["requirement"]}
    )
    assert revised["need"]["version"] == 2
    await stage.operator.post(f"/v1/needs/{id}/withdraw", {"reason": "no longer wanted"})
    shown = await stage.operator.get(f"/v1/needs/{id}")
    assert (shown["status"], shown["outcome"]) == ("closed", "withdrawn")
    assert (await stage.operator.get(f"/v1/offers/{offer}"))["ended_at"]
    assert (await stage.operator.get("/v1/needs", state="open"))["total"] == 0
    assert (await stage.operator.get("/v1/offers", state="ended"))["total"] >= 1


async def test_an_award_by_hand(stage: Stage) -> None:
    await stage.operator.post("/v1/needs", need("n", max_price_micro_usd_per_chip_hour=1_000_000))
    terms = TERMS | {"price_micro_usd_per_chip_hour": 900_000, "jurisdiction": "US-TX"}
    quote = {"provider": "azure", "pool": "azure-h200", "terms": terms}
    made = await stage.operator.post("/v1/needs/n/quotes", quote)
    shown = await stage.operator.get("/v1/needs/n")
    if shown["status"] == "market":
        shown = (await stage.operator.post("/v1/needs/n/award", {"quote": made["quote"]["id"]}))["need"]
    assert shown["status"] == "covered"
    (lease,) = shown["leases"]
    assert (await stage.operator.get(f"/v1/leases/{lease}"))["price_micro_usd_per_chip_hour"] == 900_000
