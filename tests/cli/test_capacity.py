"""Commands about capacity, against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.cli import answer, declare, drain, fact, leases, needs, offers, pools, quote
from stargate.cli.deal import terms
from tests.cli.conftest import INFRASTRUCTURE, Run, until

MODULES = (answer, declare, drain, fact, leases, needs, offers, pools, quote)

NEED = """
id: need-1
party: lab
requirement:
  chips: 4
  chip_types: [H100-SXM]
  start_by: 2027-06-01
  duration: 30d
  jurisdictions: [US]
"""


def test_pools_and_draining(on_server: Run) -> None:
    found = {item["id"]: item for item in on_server("pools", "--json").json["items"]}
    assert found["alpha-1"]["chips_held"] == 8
    assert on_server("drain", "pool", "alpha-1", "--reason", "works").code == 0
    assert "draining" in on_server("pools").out
    assert on_server("drain", "pool", "alpha-1", "--undo").out == "The pool alpha-1 takes work again\n"
    assert "draining" not in on_server("pools").out
    assert on_server("drain", "pool", "nope").code == 2


def test_a_need_from_opening_to_a_lease(on_server: Run, tmp_path: Path) -> None:
    path = tmp_path / "need.yaml"
    path.write_text(NEED, encoding="utf-8")
    assert on_server("needs", "open", path).code == 0
    assert "need-1" in on_server("needs").out
    quoted = on_server(
        "quote", "need-1", "--provider", "beta", "--pool", "beta-1", "--price", "2.49", "--id", "q-1"
    )
    assert quoted.code == 0, quoted.err
    assert quoted.out.startswith("q-1: ")
    need = next(item for item in on_server("needs", "--json").json["items"] if item["id"] == "need-1")
    assert need["quotes"][0]["terms"]["price_micro_usd_per_chip_hour"] == 2_490_000
    assert need["quotes"][0]["terms"]["chips"] == 4
    until(lambda: on_server("leases", "--json").json["items"])
    late = on_server("needs", "award", "need-1", "q-1")
    assert late.code == 2
    assert "covered" in late.err
    lease = on_server("leases", "--json").json["items"][0]
    assert (lease["need"], lease["pool"], lease["ordered_chips"]) == ("need-1", "beta-1", 4)
    assert lease["id"] in on_server("leases").out


def test_a_need_is_withdrawn(on_server: Run, tmp_path: Path) -> None:
    path = tmp_path / "need.yaml"
    path.write_text(NEED.replace("need-1", "need-2"), encoding="utf-8")
    assert on_server("needs", "open", path, "--json").json["need"]["id"] == "need-2"
    assert on_server("needs", "withdraw", "need-2", "--reason", "changed our minds").code == 0
    assert (
        on_server("needs", "--state", "open", "--json").json["items"] == []
        or "need-2" not in on_server("needs", "--state", "open").out
    )


@pytest.mark.parametrize("text", ["", "[]", "id: need-3\nparty: lab\n", "{id: need-3, oops: 1}"])
def test_a_need_at_fault(on_server: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "need.yaml"
    path.write_text(text, encoding="utf-8")
    ran = on_server("needs", "open", path)
    assert ran.code == 2
    assert ran.err


def test_offers_and_answers_of_nobody(on_server: Run) -> None:
    assert on_server("offers").out == "No offers.\n"
    assert on_server("offers", "nope").code == 2
    assert on_server("answer", "nope", "decline").code == 2
    assert on_server("quote", "nope", "--provider", "beta", "--pool", "beta-1").code == 2


def test_a_fact(on_server: Run) -> None:
    declared = on_server("fact", "agi_revenue_usd", "99990000000", "--source", "filing", "--json")
    assert declared.code == 0, declared.out
    assert declared.json["seq"] > 0
    assert on_server("fact", "a", "[1]").code == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("5.50", "5.50"), ("true", True), ("2027-01-01", "2027-01-01"), ("yes", "yes")],
)
def test_what_a_fact_may_be(text: str, value: object) -> None:
    assert fact.scalar(text) == value


def test_declaring_anew(on_server: Run, tmp_path: Path) -> None:
    assert on_server("declare").out.startswith("Declared 2 providers, 2 pools, 0 agreements")
    path = tmp_path / "all.yaml"
    path.write_text(INFRASTRUCTURE, encoding="utf-8")
    assert on_server("declare", path, "--json").json["pools"] == 2
    path.write_text("pools: [", encoding="utf-8")
    assert on_server("declare", path).err.startswith(f"{path}:")


def test_keys(on_server: Run) -> None:
    made = on_server("key", "make", "fin", "--role", "finance")
    assert made.out.startswith("sg_live_")
    listed = on_server("key", "list", "--json").json["items"]
    assert made.out.strip() not in str(listed)
    key = made.out.strip()
    assert on_server("ps", STARGATE_KEY=key).code == 0
    refused = on_server("key", "list", STARGATE_KEY=key)
    assert refused.code == 2
    assert "role" in refused.err
    id = next(item["id"] for item in listed if item["name"] == "fin")
    assert on_server("key", "revoke", id).out == f"Revoked {id}\n"
    assert on_server("ps", STARGATE_KEY=key).code == 2
    assert (
        "revoked" in on_server("ps", STARGATE_KEY=key).err
        or "not known" in on_server("ps", STARGATE_KEY=key).err
    )


def test_status(on_server: Run) -> None:
    assert on_server("status", "--json").json["status"] == "ok"
    assert "pools" in on_server("status").out


def test_terms_are_as_required_unless_said() -> None:
    required = {"chips": 4, "chip_types": ["H100-SXM"], "start_by": "2027-06-01T00:00:00Z", "duration": "30d"}
    deal = {
        "chips": None,
        "price_micro_usd": 1,
        "start": None,
        "duration": None,
        "chip_type": "",
        "jurisdiction": "US",
    }
    assert terms(required, deal) == {
        "chips": 4,
        "price_micro_usd_per_chip_hour": 1,
        "start": "2027-06-01T00:00:00Z",
        "duration": "30d",
        "chip_type": "H100-SXM",
        "jurisdiction": "US",
    }


@pytest.mark.parametrize(
    "words",
    [["--price", "much"], ["--price", "NaN"], ["--price", "-1"], ["--start", "soon"], ["--duration", "3600"]],
)
def test_terms_that_cannot_be(run: Run, words: list[str]) -> None:
    ran = run("quote", "n", "--provider", "p", "--pool", "q", *words)
    assert ran.code == 2
    assert "write" in ran.err
