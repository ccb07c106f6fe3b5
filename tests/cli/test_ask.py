"""`stargate ask`: the same request at three dates."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.cli.ask import command
from tests.cli.conftest import Run

AGREEMENT = """
agreement:
  id: alpha-2025
  title: Capacity agreement
  parties: [lab, alpha-co]
  customer: lab
  supplier: alpha-co
  signed_on: 2025-01-21
  clauses:
    - id: rofr
      kind: first_refusal
      mode: capability
      text_ref: s. 4
    - id: api
      kind: exclusive_serving
      products: [api]
---
agreement:
  id: alpha-2025-a1
  parties: [lab, alpha-co]
  customer: lab
  supplier: alpha-co
  signed_on: 2025-10-28
  amends: alpha-2025
  clauses:
    - id: change
      kind: amendment
      removes: [rofr]
"""
REQUEST = "action: source\nparty: lab\nattributes: {chips: 1024}\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "alpha.yaml").write_text(AGREEMENT, encoding="utf-8")
    (tmp_path / "request.yaml").write_text(REQUEST, encoding="utf-8")
    return tmp_path / "papers", tmp_path / "request.yaml"


def test_three_dates_three_answers(run: Run, files: tuple[Path, Path]) -> None:
    assert command.name == "ask"
    outcomes = [
        run("ask", *files, "--at", at, "--json").json["outcome"]
        for at in ("2025-01-01", "2025-06-01", "2025-11-01")
    ]
    assert outcomes == ["permit", "must_offer", "permit"]
    said = run("ask", *files, "--at", "2025-06-01")
    assert said.code == 0
    assert said.out.startswith("must_offer: lab source at 2025-06-01T00:00:00Z\n")
    assert "alpha-2025/rofr (s. 4)" in said.out
    assert (
        "Asked first\n  alpha-co (capability, rank 1): alpha-2025/rofr, 30 calendar days to answer"
        in said.out
    )


def test_a_refusal_names_its_clause(run: Run, files: tuple[Path, Path]) -> None:
    agreements, request = files
    request.write_text(
        "{action: serve, party: lab, provider: beta-co, attributes: {product: api}}", encoding="utf-8"
    )
    found = run("ask", agreements, request, "--at", "2025-06-01", "--json").json
    assert found["outcome"] == "forbid"
    assert found["reasons"][0]["clause"] == "alpha-2025/api"
    assert "would change it" in run("ask", agreements, request, "--at", "2025-06-01").out


@pytest.mark.parametrize(
    ("request_text", "at", "says"),
    [
        ("action: fly", "2025-06-01", "action"),
        ("", "2025-06-01", "no request"),
        (REQUEST, "June", "is not a time"),
        (REQUEST, "2025-06-01T00:00:00", "time zone"),
    ],
)
def test_questions_at_fault(
    run: Run, files: tuple[Path, Path], request_text: str, at: str, says: str
) -> None:
    agreements, request = files
    request.write_text(request_text, encoding="utf-8")
    ran = run("ask", agreements, request, "--at", at)
    assert ran.code == 2
    assert says in ran.err


def test_agreements_at_fault(run: Run, files: tuple[Path, Path]) -> None:
    agreements, request = files
    (agreements / "more.yaml").write_text(
        "agreement: {id: x, clauses: [{id: a, kind: rofr}]}", encoding="utf-8"
    )
    ran = run("ask", agreements, request, "--at", "2025-06-01", "--json")
    assert ran.code == 2
    assert ran.json["error"]["problems"][0]["file"].endswith("more.yaml")
