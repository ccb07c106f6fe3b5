"""Parties: what they answer to offers, deliver, and quote; each visible in the facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.time import DAY, HOUR, SECOND
from stargate.broker.fact import Ended, WorkloadEnded
from stargate.broker.sourcing.fact import (
    LeaseActivated,
    LeaseEnded,
    LeaseSigned,
    NeedOpened,
    OfferEnded,
    OfferMade,
    QuoteReceived,
)
from tests.rehearsal.world.stages import WORLD, Played, demand, job, play

MARKET = (
    WORLD
    + """
- id: spare
  provider: cloudy
  site: ohio
  chip: H100-SXM
  chips_per_node: 8
  tenure: market
  nodes: [{from: 2025-01-01, nodes: 16}]
  prices: [{from: 2025-01-01, usd_per_chip_hour: 3}]
- id: breeze
  provider: windy
  site: ohio
  chip: H100-SXM
  chips_per_node: 8
  tenure: market
  nodes: [{from: 2025-01-01, nodes: 16}]
  prices: [{from: 2025-01-01, usd_per_chip_hour: 5}]
"""
)
RIGHT = """
agreement:
  id: deal
  title: A deal
  parties: [lab, cloudy]
  customer: lab
  supplier: cloudy
  signed_on: 2025-01-01
  clauses:
  - {kind: first_refusal, id: first, mode: capability, window: {length: 5, unit: calendar_days}, delivery_grace: 1d}
"""
POLICY = "{lab: lab, sourcing: {start_within: 20d, need_duration: 3d}}"
# Ten nodes at once are more than the six that are held.
WANTED = demand(job("a", chips=80, run_seconds=7200))


def played(tmp_path: Path, parties: str, policy: str = POLICY, world: str = MARKET) -> Played:
    text = f"start: 2026-01-05\nhorizon: 40d\nparties: {parties}\n{WANTED}"
    return play(tmp_path, text, world=world + "\n---\n" + RIGHT, policy=policy)


def test_who_accepts_delivers_and_the_work_runs(tmp_path: Path) -> None:
    found = played(tmp_path, "[{party: cloudy, answers: [{answer: accept, after: {fixed: 2d}}]}]")
    (signed,) = found.facts(LeaseSigned)
    assert (signed.party, signed.clause, signed.chips, signed.pool) == ("cloudy", "deal/first", 80, "spare")
    assert found.seconds(LeaseSigned) == [2 * 86_400]
    assert [fact.outcome for fact in found.facts(OfferEnded)] == ["accepted"]
    assert [fact.outcome for fact in found.facts(WorkloadEnded)] == ["succeeded"]
    assert found.stage.play.refused == []


def test_who_declines_leaves_it_to_the_market(tmp_path: Path) -> None:
    found = played(tmp_path, "[{party: cloudy, answers: [{answer: decline, after: {fixed: 1d}}]}]")
    assert [fact.outcome for fact in found.facts(OfferEnded)] == ["declined"]
    assert found.seconds(OfferEnded) == [86_400]
    assert found.seconds(LeaseSigned) == [86_400]
    assert found.facts(LeaseSigned)[0].clause == ""
    assert [fact.outcome for fact in found.facts(WorkloadEnded)] == ["succeeded"]


@pytest.mark.parametrize("parties", ["[]", "[{party: anybody, answers: [{answer: ignore}]}]"])
def test_silence_lapses(tmp_path: Path, parties: str) -> None:
    found = played(tmp_path, parties)
    assert [fact.outcome for fact in found.facts(OfferEnded)] == ["lapsed"]


def test_who_cannot_meet_it_says_what(tmp_path: Path) -> None:
    parties = "[{party: anybody, answers: [{answer: cannot_meet, unmet: [start_by, chips]}]}]"
    (ended,) = played(tmp_path, parties).facts(OfferEnded)
    assert (ended.outcome, ended.unmet) == ("cannot_meet", ("start_by", "chips"))


def test_who_has_nothing_that_fits_cannot_accept(tmp_path: Path) -> None:
    nothing = MARKET.replace("id: spare\n  provider: cloudy", "id: spare\n  provider: windy").replace(
        "- id: cloud\n  provider: cloudy", "- id: cloud\n  provider: windy"
    )
    found = played(tmp_path, "[{party: cloudy, answers: [{answer: accept}]}]", world=nothing)
    assert [fact.outcome for fact in found.facts(OfferEnded)] == ["cannot_meet"]
    assert found.stage.play.refused == []


def test_rules_are_tried_in_order(tmp_path: Path) -> None:
    rules = (
        "[{answer: decline, at_least_chips: 100}, {answer: decline, clauses: [other/first]},"
        " {answer: decline, until: 2026-01-05}, {answer: decline, from: 2026-02-01}, {answer: decline, chance: 0},"
        " {answer: partial, share: 0.5}]"
    )
    found = played(tmp_path, f"[{{party: cloudy, answers: {rules}}}]")
    (ended,) = found.facts(OfferEnded)[:1]
    assert (ended.outcome, ended.taken_chips) in {("partial", 40), ("partial", 0)}


def test_chances_are_those_stated(tmp_path: Path) -> None:
    rules = "[{answer: decline, chance: 0.5}, {answer: ignore}]"
    outcomes = []
    for seed in range(12):
        text = f"start: 2026-01-05\nhorizon: 40d\nparties: [{{party: cloudy, answers: {rules}}}]\n{WANTED}"
        found = play(tmp_path, text, world=MARKET + "\n---\n" + RIGHT, policy=POLICY, seed=seed)
        outcomes.append(found.facts(OfferEnded)[0].outcome)
    assert set(outcomes) == {"declined", "lapsed"}


def test_quotes_compete_with_the_list(tmp_path: Path) -> None:
    parties = (
        "[{party: cloudy, answers: [{answer: decline}]},"
        " {party: windy, quotes: [{pool: breeze, usd_per_chip_hour: 1, after: {fixed: 2h}, valid_for: 10d}]}]"
    )
    policy = "{lab: lab, sourcing: {start_within: 20d, need_duration: 3d, market_window: 6h}}"
    found = played(tmp_path, parties, policy)
    (quote,) = found.facts(QuoteReceived)
    assert (quote.pool, quote.terms.price_micro_usd_per_chip_hour, quote.terms.chips) == (
        "breeze",
        1_000_000,
        80,
    )
    assert found.seconds(QuoteReceived) == [7_200]
    (signed,) = found.facts(LeaseSigned)
    assert signed.pool == "breeze"


@pytest.mark.parametrize(
    ("delivers", "kind"), [("{after: {fixed: 1h}}", LeaseActivated), ("{chance: 0}", LeaseEnded)]
)
def test_late_deliveries_come_or_are_given_up(tmp_path: Path, delivers: str, kind: type) -> None:
    # The pool exists on paper: its nodes come later than anybody needs them.
    late = MARKET.replace(
        "tenure: market\n  nodes: [{from: 2025-01-01", "tenure: market\n  nodes: [{from: 2027-01-01"
    )
    accept = "answers: [{answer: accept}]"
    found = played(tmp_path, f"[{{party: cloudy, {accept}, delivers: {delivers}}}]", world=late)
    (signed,) = found.facts(LeaseSigned)[:1]
    assert signed.party == "cloudy"
    assert found.facts(kind)
    if kind is LeaseActivated:
        after = found.seconds(LeaseActivated)[0] - (signed.start - found.stage.start) // SECOND
        assert after == HOUR // SECOND


def test_nothing_is_asked_where_nothing_is_short(tmp_path: Path) -> None:
    found = play(
        tmp_path, f"start: 2026-01-05\nhorizon: {5 * DAY // DAY}d\n" + demand(job("a")), policy=POLICY
    )
    assert not found.facts(NeedOpened)
    assert not found.facts(OfferMade)
    assert found.facts(Ended)
