"""Usage in, statements out: once for each event, and only for whom they concern."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
        assert [one["key"] for one in taken["refused"]] == ["1"]
        await counted(stage)
        (item,) = (await finance.get("/v1/ledger/usage", by="team", **MARCH))["items"]
        assert (item["by"], item["quantity"], item["charged_micro_usd"]) == (
            {"team": "red"},
            "2000",
            20_000_000,
        )


@pytest.mark.parametrize(
    "change", [{"source": "journal:main"}, {"party": "a\u0000b"}, {"start": "0001-01-01"}, {"quantity": "-1"}]
)
async def test_what_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Nobody speaks for the broker, and nothing unreadable is kept."""
    async with staged(configured(tmp_path)) as stage:
        await stage.operator.refused(422, "/v1/ledger/usage", {"events": [EVENT | change]})


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
