"""What if: dates that slip, are dropped or come true; agreements that are signed or end on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.agreements import Agreement
from stargate.base.time import Instant
from stargate.broker.fact import CapacitySet, Declared, FactDeclared
from stargate.catalog import Infrastructure
from stargate.catalog.dated import DatedCount
from stargate.rehearsal.changes import Change, Drop, End, Realise, Slip, changed, months_later, problems
from tests.broker.world import infrastructure, pool
from tests.rehearsal.world.stages import WORLD, demand, job, play

START = Instant.parse("2026-06-15")


def series(*counts: tuple[str, int, str]) -> Infrastructure:
    import msgspec

    nodes = tuple(DatedCount(nodes=n, from_=Instant.parse(at), status=status) for at, n, status in counts)  # type: ignore[arg-type]
    return infrastructure(msgspec.structs.replace(pool("a"), nodes=nodes))


WORLD_SERIES = (
    ("2026-01-01", 4, "operational"),
    ("2026-12-31", 10, "planned"),
    ("2027-06-30", 20, "planned"),
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), [4, 4, 4]),
        ((Realise(pools=("a",)),), [4, 10, 20]),
        ((Realise(sites=("tx",)), Slip(pools=("a",), months=6)), [4, 4, 10]),
        ((Slip(pools=("a",), months=6), Realise(pools=("a",))), [4, 4, 10]),
        ((Realise(pools=("a",)), Drop(pools=("a",))), [4, 4, 4]),
        ((Realise(pools=("a",)), Drop(pools=("a",), after=Instant.parse("2027-01-31"))), [4, 10, 10]),
    ],
)
def test_dates_move(changes: tuple[Change, ...], expected: list[int]) -> None:
    found = changed(series(*WORLD_SERIES), changes, START).pools_by_id["a"]
    moments = ("2026-07-01", "2027-01-01", "2027-07-01")
    assert [found.nodes_at(Instant.parse(moment)) for moment in moments] == expected


def test_months_are_those_of_the_calendar() -> None:
    for before, months, after in [
        ("2026-12-31", 6, "2027-06-30"),
        ("2027-08-31", 6, "2028-02-29"),
        ("2026-01-15T06:30:00Z", 12, "2027-01-15T06:30:00Z"),
        ("2026-11-30", 1, "2026-12-30"),
    ]:
        assert months_later(Instant.parse(before), months) == Instant.parse(after)


def test_names_that_lead_nowhere_are_named() -> None:
    found = problems((Slip(months=1), Drop(pools=("aa",)), End(("x",))), series(), ())
    assert [problem.path for problem in found] == ["changes[0]", "changes[1].pools", "changes[2].agreements"]


SIGNED = """
agreement:
  id: {id}
  title: A deal
  parties: [lab, cloudy]
  customer: lab
  supplier: cloudy
  signed_on: 2026-01-01
  clauses:
  - {{kind: term, id: term, until: 2030-01-01}}
"""


def test_agreements_come_and_go_on_their_dates(tmp_path: Path) -> None:
    (tmp_path / "later.yaml").write_text(SIGNED.format(id="later"))
    text = """
start: 2026-01-05
horizon: 10d
changes:
- {do: sign, agreements: [later.yaml], at: 2026-01-06}
- {do: end, agreements: [first], at: 2026-01-07}
- {do: fact, fact: {name: storm, value: true, valid_from: 2026-01-05}, at: 2026-01-08}
"""
    played = play(tmp_path, text + demand(job("a")), world=WORLD + "\n---\n" + SIGNED.format(id="first"))
    books = [[paper.id for paper in fact.agreements] for fact in played.facts(Declared)]
    assert books == [["first"], ["first", "later"], ["later"]]
    assert played.seconds(Declared) == [0, 86_400, 2 * 86_400]
    assert played.seconds(FactDeclared) == [3 * 86_400]
    assert all(isinstance(paper, Agreement) for paper in played.facts(Declared)[1].agreements)


def test_a_slip_shows_in_the_facts(tmp_path: Path) -> None:
    world = WORLD.replace("nodes: 4}]", "nodes: 4}, {from: 2026-01-20, nodes: 8, status: planned}]")
    text = "start: 2026-01-05\nhorizon: 90d\nchanges: [{do: realise, pools: [home]}%s]\n"
    for more, day in (
        ("", 15),
        (", {do: slip, sites: [texas], months: 2}", 74),
        (", {do: drop, pools: [home]}", 0),
    ):
        played = play(tmp_path, text % more + demand(job("a")), world=world)
        assert [moment // 86_400 for moment in played.seconds(CapacitySet)] == ([day] if day else [])
