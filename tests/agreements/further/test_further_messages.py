"""What people are told about what they wrote wrong: what, where, and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate import agreements
from stargate.base.errors import InputError, Problem

HEAD = """\
agreement:
  id: deal
  parties: [lab, cloud]
  customer: lab
  supplier: cloud
  signed_on: 2026-01-01
  clauses:
  - {kind: term, id: term, until: 2030-01-01}
  - {kind: first_refusal, id: right, mode: match}
"""
LINE = HEAD.count("\n") + 1


def problems(tmp_path: Path, clause: str) -> tuple[Problem, ...]:
    path = tmp_path / "deal.yaml"
    path.write_text(f"{HEAD}  - {clause}\n", encoding="utf-8")
    try:
        return agreements.load_all(path).lint()
    except InputError as error:
        return error.problems


WRONG = [
    # clause, what the message says, what the remedy says
    ("{kind: first_refussal, id: r, mode: match}", "first_refussal", "first_refusal"),
    ("{kind: first_refusal, id: r, mode: mach}", "mach", "'match'"),
    ("{kind: first_refusal, id: r}", "'mode' is missing", "first_offer, match, capability"),
    ("{kind: exclusive_serving, id: e, prodcts: [api]}", "prodcts", "'products'"),
    ("{kind: exclusive_serving, id: e, products: api}", "expected a list", "[a, b]"),
    ("{kind: exclusive_serving, id: e, scope: [{field: prodct, values: [api]}]}", "prodct", "'product'"),
    ("{kind: exclusive_serving, id: e, holder: clod}", "clod", "'cloud'"),
    ("{kind: residency, id: r, jurisdictions: [Texas]}", "Texas", "US-TX"),
    ("{kind: residency, id: r, jurisdictions: [EU]}", "EU", "members"),
    ("{kind: revenue_share, id: s, rate: twenty}", "twenty", "0.25"),
    ("{kind: revenue_share, id: s, rate: 20}", "rate is 20, and at most 1", "fit"),
    ("{kind: price, id: p, price_usd: -1}", "price_usd is -1", "fit"),
    ("{kind: price, id: p, price_usd: 2, floor_usd: 3, ceiling_usd: 2}", "floor_usd 3 is above", "fit"),
    ("{kind: commitment, id: c, amount: $38B}", "$38B", "plain decimal number"),
    ("{kind: commitment, id: c}", "nothing is committed", "fit"),
    ("{kind: termination, id: t, notice: 3 months}", "3 months", "72h"),
    ("{kind: delivery, id: d, tranches: [{id: one, due: Q4 2026}]}", "Q4 2026", "2025-01-21"),
    ("{kind: entitlement, id: e, rights: [use], until: end of 2030}", "end of 2030", "2025-01-21"),
    ("{kind: entitlement, id: e, rights: [use], until: 2027-02-29}", "2027-02-29", "2025-01-21"),
    ("{kind: entitlement, id: e, rights: [use], until: 2027-02-01T10:00:00}", "no time zone", "-08:00"),
    (
        "{kind: entitlement, id: e, rights: [use], from: 2028-01-01, until: 2027-01-01}",
        "ends before it begins",
        "later than from",
    ),
    ("{kind: entitlement, id: e, rights: [use], until: 2025-01-01}", "ends before deal begins", "signed_on"),
    ("{kind: entitlement, id: e, rights: [use], from: 2031-01-01}", "when deal has ended", "term clause"),
    (
        "{kind: commitment, id: c, amount: 5, milestones: [{by: 2031-01-01, amount: 5}]}",
        "never reckoned",
        "term clause",
    ),
    (
        "{kind: option, id: o, expiry: 2027-01-01, exercisable_from: 2028-01-01}",
        "lapses before it can be exercised",
        "later",
    ),
    (
        "{kind: trigger, id: t, when: [{fact: x}], effects: [{effect: suspend, clauses: [rigth]}]}",
        "no clause 'rigth'",
        "'right'",
    ),
    (
        "{kind: trigger, id: t, when: [{fact: x}], verifier: panel, effects: [{effect: open_negotiation}]}",
        "verifier 'panel'",
        "third_parties",
    ),
    ("{kind: amendment, id: a, from: 2027-01-01, removes: [rigth]}", "no clause 'rigth'", "right"),
    ("{kind: waiver, id: w, clauses: [right], by: lab}", "which cloud holds", "Only cloud"),
]


@pytest.mark.parametrize(("clause", "message", "remedy"), WRONG)
def test_it_says_what_where_and_the_way_out(tmp_path: Path, clause: str, message: str, remedy: str) -> None:
    found = problems(tmp_path, clause)
    assert found, "nothing was found wrong with it"
    assert any(message in problem.message and remedy in problem.remedy for problem in found), found
    assert all(problem.line == LINE and problem.file.endswith("deal.yaml") for problem in found)
    # Never the fields of another kind.
    assert not any("threshold_chips" in problem.remedy for problem in found)


def test_two_prices_of_one_use_are_found_and_dated_ones_are_not(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path, "{kind: price, id: a, price_usd: 2}\n  - {kind: price, id: b, price_usd: 3}"
    )
    assert "charged twice" in problem.message
    first = "{kind: price, id: a, price_usd: 2, until: 2027-01-01}"
    dated = f"{first}\n  - {{kind: price, id: b, price_usd: 3, from: 2027-01-01}}"
    assert problems(tmp_path, dated) == ()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("  supersedes: [nothing]\n", "supersedes 'nothing'"),
        ("  status: signd\n", "'signd' is not one of"),
        ("  customer: labs\n", "'labs' is not among the parties"),
    ],
)
def test_faults_of_the_paper_itself(tmp_path: Path, head: str, message: str) -> None:
    path = tmp_path / "deal.yaml"
    body = (
        "agreement:\n  id: deal\n  parties: [lab, cloud]\n  signed_on: 2026-01-01\n"
        + head
        + "  clauses: []\n"
    )
    path.write_text(body, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        agreements.load(path)
    assert message in caught.value.problems[0].message
