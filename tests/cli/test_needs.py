"""Needs, quotes and leases, against a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stargate.cli.leases import picture as leases_picture
from stargate.cli.needs import picture as needs_picture
from tests.cli.conftest import Run, until

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


def test_pictures() -> None:
    assert needs_picture([]).startswith("No needs")
    assert leases_picture([]) == "No leases."
    need: dict[str, Any] = {
        "id": "n",
        "status": "market",
        "requirement": {"chips": 1200, "start_by": "2027-06-01T00:00:00Z", "duration": "30d"},
    }
    assert needs_picture([need]).splitlines()[1].split() == [
        "n", "market", "1,200", "any", "2027-06-01T00:00:00Z", "30d", "anywhere", "-", "0", "0", "-",
    ]  # fmt: skip
