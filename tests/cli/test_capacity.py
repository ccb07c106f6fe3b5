"""Commands about capacity, against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.cli import fact
from stargate.cli.deal import terms
from tests.cli.conftest import AGREEMENTS, INFRASTRUCTURE, Run


def test_pools_and_draining(on_server: Run) -> None:
    found = {item["id"]: item for item in on_server("pools", "--json").json["items"]}
    assert found["alpha-1"]["chips_held"] == 8
    assert on_server("drain", "pool", "alpha-1", "--reason", "works").code == 0
    assert "draining" in on_server("pools").out
    assert on_server("drain", "pool", "alpha-1", "--undo").out == "The pool alpha-1 takes work again\n"
    assert "draining" not in on_server("pools").out
    assert on_server("drain", "pool", "nope").code == 2


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
    assert on_server("declare").out.startswith("Declared 2 providers, 2 pools, 1 agreement")
    path = tmp_path / "all.yaml"
    path.write_text(f"{INFRASTRUCTURE}---{AGREEMENTS}", encoding="utf-8")
    assert on_server("declare", path, "--json").json["pools"] == 2
    path.write_text("pools: [", encoding="utf-8")
    assert on_server("declare", path).err.startswith(f"{path}:")


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
