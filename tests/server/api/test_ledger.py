"""Usage in, statements out: once for each event, and only for whom they concern."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stargate.server.api.ledger import BODY_LIMIT_BYTES, EVENTS_LIMIT
from tests.server.world import Stage, configured, staged

pytestmark = pytest.mark.anyio

EVENT: dict[str, Any] = {
    "source": "gateway:eu", "key": "1", "metric": "output_tokens", "quantity": "1000", "start": "2026-03-02T10:00:00Z",
    "party": "lab", "provider": "microsoft", "quoted_usd": "0.01", "attributes": {"team": "red"},
}  # fmt: skip
MARCH = {"month": "2026-03"}


async def counted(stage: Stage) -> None:
    """A round of the ledger, which rates what came in."""
    assert stage.house.books is not None
    await stage.house.books.round(stage.house.driver)


async def test_events_count_once_and_contradictions_are_named(tmp_path: Path) -> None:
    """The others of the batch are taken."""
    async with staged(configured(tmp_path)) as stage:
        finance = await stage.caller("finance")
        for new, known in ((1, 0), (0, 1)):
            taken = await stage.operator.post("/v1/ledger/usage", {"events": [EVENT]})
            assert (taken["new"], taken["known"], taken["refused"]) == (new, known, [])
        taken = await stage.operator.post(
            "/v1/ledger/usage", {"events": [EVENT | {"quantity": "2"}, EVENT | {"key": "2"}]}
        )
        assert (taken["new"], taken["known"]) == (1, 0)
        assert [(one["index"], one["key"]) for one in taken["refused"]] == [(0, "1")]
        await counted(stage)
        (item,) = (await finance.get("/v1/ledger/usage", by="team", **MARCH))["items"]
        assert (item["by"], item["quantity"], item["charged_micro_usd"]) == (
            {"team": "red"},
            "2000",
            20_000_000,
        )


async def test_a_gateway_ships_under_its_own_name_until_it_is_answered(tmp_path: Path) -> None:
    """Its key is good for this route alone; what of a batch was refused is told by its place."""
    async with staged(configured(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        own = EVENT | {"source": "gateway:gateway-/node-1"}
        batch = [own | {"key": f"7:{number}"} for number in range(3)]
        await gateway.post("/v1/ledger/usage", {"events": batch[:2]})
        twice = [batch[2], batch[1] | {"quantity": "5"}, batch[2], batch[2] | {"quantity": "6"}, batch[0]]
        taken = await gateway.post("/v1/ledger/usage", {"events": twice})
        assert (taken["new"], taken["known"]) == (1, 2)
        assert [(one["index"], one["key"]) for one in taken["refused"]] == [(1, "7:1"), (3, "7:2")]
        for foreign in ({"source": "gateway:us"}, {"metric": "revenue_usd"}):
            await gateway.refused(403, "/v1/ledger/usage", {"events": [own | {"key": "8:1"}, own | foreign]})
        assert (await gateway.http.get("/v1/ledger/usage")).status_code == 403
        await counted(stage)
        (item,) = (await stage.operator.get("/v1/ledger/usage", by="team", **MARCH))["items"]
        assert item["quantity"] == "3000", "of a batch with a foreign event nothing is taken"


async def test_a_full_batch_passes_and_what_is_larger_does_not(tmp_path: Path) -> None:
    async with staged(configured(tmp_path)) as stage:
        said = {"model": "m" * 40, "product": "api", "key": "k" * 24, "region": "eu-west", "team": "red"}
        full = [
            EVENT | {"key": f"1792290000:{number:012}", "attributes": said} for number in range(EVENTS_LIMIT)
        ]
        assert len(json.dumps({"events": full})) > stage.house.config.limits.body_bytes
        taken = await stage.operator.post("/v1/ledger/usage", {"events": full})
        assert (taken["new"], taken["known"], taken["refused"]) == (EVENTS_LIMIT, 0, [])
        error = await stage.operator.refused(422, "/v1/ledger/usage", {"events": [*full, EVENT]})
        assert error["problems"][0]["path"] == "events"
        await stage.operator.refused(413, "/v1/ledger/usage", {"events": ["x" * BODY_LIMIT_BYTES]})
        await stage.operator.refused(413, "/v1/keys", {"name": "x" * stage.house.config.limits.body_bytes})


@pytest.mark.parametrize(
    "change", [{"source": "journal:main"}, {"party": "a\u0000b"}, {"start": "0001-01-01"}, {"quantity": "-1"}]
)
async def test_what_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Nobody speaks for the broker, and nothing unreadable is kept."""
    async with staged(configured(tmp_path)) as stage:
        await stage.operator.refused(422, "/v1/ledger/usage", {"events": [EVENT | change]})


@pytest.mark.parametrize("month", ["6745-11", "0000-01", "9999-12", "2026-13", "202\u0666-01", "2026-1"])
async def test_what_is_no_month_of_a_ledger_is_refused(tmp_path: Path, month: str) -> None:
    """By whoever asks for it, before anything is looked for."""
    async with staged(configured(tmp_path)) as stage:
        for path in ("/v1/ledger/usage", "/v1/ledger/statement"):
            asked = {"party": "lab", "other": "microsoft", "month": month}
            assert (await stage.operator.http.get(path, params=asked)).status_code in (400, 422)


async def test_a_provider_sees_the_statements_it_is_a_party_of(tmp_path: Path) -> None:
    """Those of others are answered as if they did not exist."""
    async with staged(configured(tmp_path)) as stage:
        await stage.operator.post("/v1/ledger/usage", {"events": [EVENT]})
        await counted(stage)
        own, foreign = await stage.caller("provider", "microsoft"), await stage.caller("provider", "amazon")
        asked = {"party": "lab", "other": "microsoft", **MARCH}
        shown = await own.get("/v1/ledger/statement", **asked)
        assert [net["amount_micro"] for net in shown["statement"]["net"]] == [10_000_000]
        assert shown["payables"][0]["owed_micro_usd"] == 10_000_000
        assert (await foreign.http.get("/v1/ledger/statement", params=asked)).status_code == 404


async def test_a_server_without_a_ledger_says_so(tmp_path: Path) -> None:
    """Its routes are there, and find nothing."""
    async with staged(configured(tmp_path, ledger="none")) as stage:
        error = await stage.operator.refused(404, "/v1/ledger/usage", {"events": [EVENT]})
        assert "keeps no ledger" in error["message"]
