"""Usage at gateways: in the log and in the ledger, each attempt once, whatever is told how often and stops where."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from stargate.base import wire
from stargate.base.errors import LedgerError
from stargate.gateway.limits import Wish
from stargate.gateway.limits.lease import Leased, Leasing
from stargate.gateway.record import Price, Receipt, Shipment, Tokens
from tests.server.serving import routes_when, serving
from tests.server.told import EPOCH, WHY, shipment, told
from tests.server.world import Caller, Stage, staged

pytestmark = pytest.mark.anyio


async def send(caller: Caller, sent: Shipment | bytes, kind: str = "application/msgpack") -> httpx.Response:
    body = sent if isinstance(sent, bytes) else wire.pack(sent)
    return await caller.http.post("/v1/gateway/records", content=body, headers={"content-type": kind})


async def taken(caller: Caller, sent: Shipment) -> Receipt:
    answer = await send(caller, sent)
    assert answer.status_code == 200, answer.text
    return wire.from_json(answer.content, Receipt)


async def used(stage: Stage, by: str = "key,chargeable,provider") -> dict[tuple[str, ...], str]:
    """Quantities of the month by what they are told apart by, and unit."""
    items = (await stage.operator.get("/v1/ledger/usage", month="2026-03", by=by))["items"]
    return {(*(item["by"][name] for name in by.split(",")), item["unit"]): item["quantity"] for item in items}


async def application(stage: Stage, **scope: Any) -> str:
    body = {"name": "shop", "role": "application", "scope": {"product": "api"} | scope}
    made: str = (await stage.operator.post("/v1/keys", body))["id"]
    return made


async def test_attempts_are_counted_once_and_told_apart(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        key = await application(stage)
        sent = shipment(
            told(1, key, request="req_a", outcome="refused", tokens=Tokens(), status=429, counted="none"),
            told(2, key, request="req_a", nth=1),
            told(3, key),
        )
        for new, known in ((3, 0), (0, 3)):
            assert await taken(gateway, sent) == Receipt(new, known)
        assert await used(stage) == {
            ("shop", "no", "azure", "requests"): "1",
            ("shop", "yes", "azure", "requests"): "2",
            ("shop", "yes", "azure", "input_tokens"): "120",
            ("shop", "yes", "azure", "cached_tokens"): "80",
            ("shop", "yes", "azure", "output_tokens"): "40",
            ("shop", "yes", "azure", "reasoning_tokens"): "20",
        }
        event = {
            "source": "gateway:gateway-",
            "key": f"{EPOCH}/3/requests",
            "metric": "requests",
            "quantity": "5",
        }
        other = {"events": [event | {"start": "2026-03-02T10:00:00Z"}]}
        assert (await stage.operator.post("/v1/ledger/usage", other))["refused"], (
            "the ledger knows it by this name"
        )


async def test_why_a_request_went_where_it_went(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        gateway, engineer = await stage.caller("gateway"), await stage.caller("engineer")
        key = await application(stage, party="microsoft", team="web")
        cut = told(1, key, request="req_a", outcome="cut", counted="estimate", chargeable=False)
        await taken(gateway, shipment(cut, told(2, key, request="req_a", nth=1, endpoint="gone.0.1")))
        shown = await engineer.get("/v1/requests/req_a")
        assert (shown["key_name"], shown["party"], shown["team"]) == ("shop", "microsoft", "web")
        first, second = shown["attempts"]
        assert (first["outcome"], first["chargeable"], first["where"]["provider"]) == ("cut", False, "azure")
        assert first["where"]["jurisdiction"] == "US-TX"
        assert (second["endpoint"], second["where"]) == ("gone.0.1", {}), "nothing is known of it"
        assert second["tokens"] == {
            "input_tokens": 100, "cached_tokens": 40, "output_tokens": 30, "reasoning_tokens": 10,
        }  # fmt: skip
        why = shown["whys"][first["why"]]
        assert [clause for clause, _ in why["grounds"]] == ["ms-2025/api"]
        assert why["shut"][0]["clause"] == "ms-2025/only"
        for caller in (gateway, await stage.caller("application")):
            assert (await caller.http.get("/v1/requests/req_a")).status_code == 403
        outrun = told(4, key, request="req_c", nth=1, endpoint="gone.0.1", outcome="outrun")
        await taken(gateway, shipment(told(3, key, request="req_c"), outrun))
        summary = (await engineer.get("/v1/requests/req_c"))["summary"]
        assert summary.startswith("done by azure"), "the one that is charged"
        missing = await engineer.http.get("/v1/requests/req_b")
        assert missing.status_code == 404


async def test_a_crash_between_log_and_ledger_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known when it was first told counts, also where the catalog has changed in between."""
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        key = await application(stage)
        books = stage.house.books
        assert books is not None

        async def fails(*_: object) -> None:
            raise LedgerError("the disk is full", "make room")

        with monkeypatch.context() as broken:
            broken.setattr(books, "write", fails)
            answer = await send(gateway, shipment(told(1, key), told(2, key)))
            assert answer.status_code == 500
        assert await used(stage) == {}
        text = (
            (tmp_path / "infrastructure.yaml")
            .read_text()
            .replace("id: foundry, provider: azure", "id: foundry, provider: oci")
        )
        (tmp_path / "infrastructure.yaml").write_text(text)
        await stage.operator.post("/v1/declare")
        assert await taken(gateway, shipment(told(1, key), told(2, key), told(3, key))) == Receipt(1, 2)
        assert await used(stage, "provider") == {
            ("azure", "requests"): "2", ("oci", "requests"): "1",
            ("azure", "input_tokens"): "120", ("oci", "input_tokens"): "60",
            ("azure", "cached_tokens"): "80", ("oci", "cached_tokens"): "40",
            ("azure", "output_tokens"): "40", ("oci", "output_tokens"): "20",
            ("azure", "reasoning_tokens"): "20", ("oci", "reasoning_tokens"): "10",
        }  # fmt: skip


async def test_what_is_unfit_is_named_and_the_rest_is_taken(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        await taken(gateway, shipment(told(1)))
        receipt = await taken(
            gateway,
            shipment(told(1, tokens=Tokens(9, 0, 9, 0)), told(2, tokens=Tokens(-5, 0, 0, 0)), told(3)),
        )
        assert (receipt.new, receipt.known) == (1, 0)
        assert [(each.index, each.epoch, each.seq) for each in receipt.unfit] == [
            (0, EPOCH, 1),
            (1, EPOCH, 2),
        ]
        assert "other content" in receipt.unfit[0].says
        assert (await used(stage, "model"))["big", "requests"] == "2"


async def test_two_gateways_may_number_alike(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        await taken(await stage.caller("gateway"), shipment(told(1)))
        body = {"name": "us", "role": "gateway"}
        other = Caller(stage.app, (await stage.operator.post("/v1/keys", body))["key"])
        assert await taken(other, shipment(told(1))) == Receipt(1, 0)
        assert (await used(stage, "model"))["big", "requests"] == "2"


async def test_an_unknown_key_is_the_labs_and_keeps_its_id(tmp_path: Path) -> None:
    async with staged(serving(tmp_path)) as stage:
        await taken(await stage.caller("gateway"), shipment(told(1, "gone")))
        assert ("gone", "lab", "requests") in await used(stage, "key,party")


async def test_budgets_are_charged_what_the_model_costs(tmp_path: Path) -> None:
    """At the price of the moment, once, and not for what was tried in vain."""
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        key = await application(stage, budget_micro_usd=10_000)
        text = (tmp_path / "infrastructure.yaml").read_text()
        assert "{id: big}" in text
        usd = {"input": 2, "cached": 1, "output": 5}
        price = ", ".join(f"{name}_usd_per_million_tokens: {price}" for name, price in usd.items())
        (tmp_path / "infrastructure.yaml").write_text(
            text.replace("{id: big}", f"{{id: big, price: {{{price}}}}}")
        )
        await stage.operator.post("/v1/declare")
        await routes_when(stage, lambda routes: any(model.price != Price() for model in routes.models[1:]))
        sent = shipment(told(1, key), told(2, key, outcome="cut"), told(3, key))
        for _ in range(2):
            await taken(gateway, sent)
        each = 60 * 2 + 40 * 1 + 30 * 5
        with sqlite3.connect(stage.house.config.requests) as found:
            rows = found.execute("SELECT application, month, micro_usd FROM spent").fetchall()
        assert rows == [(key, "2026-03", 2 * each)]


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x80", wire.pack({"node": 1}), b"\x91" * 5_000])
async def test_what_is_no_shipment_is_refused(tmp_path: Path, body: bytes) -> None:
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        answer = await send(gateway, body)
        assert answer.status_code == 422
        assert answer.json()["error"]["remedy"]
        assert (await send(gateway, shipment(), "application/json")).status_code == 415


async def test_without_a_ledger_nothing_is_acknowledged(tmp_path: Path) -> None:
    async with staged(serving(tmp_path, ledger="none")) as stage:
        answer = await send(await stage.caller("gateway"), shipment(told(1)))
        assert answer.status_code == 404
        assert "keeps no ledger" in answer.text
        assert WHY.digest not in answer.text


async def lent(caller: Caller, leasing: Leasing) -> list[int]:
    """What is given for each wish."""
    headers = {"content-type": "application/msgpack"}
    answer = await caller.http.post("/v1/gateway/leases", content=wire.pack(leasing), headers=headers)
    assert answer.status_code == 200, answer.text
    return [each.count for each in wire.from_json(answer.content, Leased).slices]


async def test_hosts_lease_limits_and_budgets_of_keys_that_are_good(tmp_path: Path) -> None:
    """Whatever they believe the limits to be; and nobody but gateways does."""
    async with staged(serving(tmp_path)) as stage:
        gateway = await stage.caller("gateway")
        key = await application(stage, budget_micro_usd=500, requests_per_minute=10)
        wishes = (Wish(key, "money", 300), Wish(key, "requests", 7), Wish("nobody", "requests", 1))
        assert await lent(gateway, Leasing("a", "s", 1, wishes)) == [300, 7, 0]
        assert await lent(gateway, Leasing("b", "s", 1, wishes)) == [0, 0, 0]
        assert await lent(
            gateway, Leasing("b", "s", 2, (Wish(key, "money", 200), Wish(key, "requests", 3)))
        ) == [200, 3]
        other = await application(stage, budget_micro_usd=500)
        wish = (Wish(other, "money", 1),)
        assert await lent(gateway, Leasing("a", "s", 2, wish)) == [1]
        await stage.operator.post(f"/v1/keys/{other}/revoke")
        assert await lent(gateway, Leasing("a", "s", 3, wish)) == [0]
        engineer = await stage.caller("engineer")
        answer = await engineer.http.post(
            "/v1/gateway/leases",
            content=wire.pack(Leasing("a", "s", 3)),
            headers={"content-type": "application/msgpack"},
        )
        assert answer.status_code == 403
