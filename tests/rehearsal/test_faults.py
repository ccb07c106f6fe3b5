"""Faults: what they are as events, and that each shows in the facts of a rehearsal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stargate.base.errors import InputError
from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker.command import MarkSupply, SetCapacity
from stargate.broker.fact import CapacitySet, Ended, Placed, Repriced, Stopping, SupplyMarked
from stargate.catalog import Infrastructure
from stargate.catalog.dated import DatedCount, DatedPower
from stargate.rehearsal.draw import Delay
from stargate.rehearsal.faults import (
    CapacityLoss,
    Companion,
    Expansion,
    Fault,
    Outage,
    Outages,
    PowerLimit,
    PriceChange,
    PriceWalk,
    expand,
)
from tests.broker.world import infrastructure, pool
from tests.rehearsal.world.stages import demand, job, play

START = Instant.parse("2026-01-01")
UNTIL = START.plus(100 * DAY)


def at(days: float) -> Instant:
    return START.plus(round(days * DAY))


def expanded(*faults: Fault, world: Infrastructure | None = None, seed: int = 1, **more: Any) -> Expansion:
    return expand(
        faults, world or infrastructure(pool("a"), pool("b", "aws", "wi")), START, UNTIL, seed, **more
    )


def marks(expansion: Expansion) -> list[tuple[float, str, str]]:
    return [
        ((moment - START) / DAY, f"{said.scope}:{said.id}", said.status)
        for moment, said in expansion.events
        if isinstance(said, MarkSupply)
    ]


def counts(expansion: Expansion) -> list[tuple[float, str, int]]:
    return [
        ((moment - START) / DAY, said.pool, said.nodes)
        for moment, said in expansion.events
        if isinstance(said, SetCapacity)
    ]


def test_an_outage_begins_and_ends() -> None:
    found = expanded(Outage(scope="site", id="tx", at=at(2), lasts=Duration(3 * DAY)))
    assert marks(found) == [(2, "site:tx", "lost"), (5, "site:tx", "up")]


def test_outages_that_overlap_are_one_and_lost_is_worse_than_draining() -> None:
    found = expanded(
        Outage(scope="site", id="tx", at=at(1), lasts=Duration(5 * DAY), status="draining"),
        Outage(scope="site", id="tx", at=at(2), lasts=Duration(2 * DAY)),
        Outage(scope="site", id="tx", at=at(3), lasts=Duration(2 * DAY)),
    )
    assert marks(found) == [
        (1, "site:tx", "draining"),
        (2, "site:tx", "lost"),
        (5, "site:tx", "draining"),
        (6, "site:tx", "up"),
    ]


def test_random_outages_alternate_and_stay_within_the_horizon() -> None:
    found = expanded(
        Outages(scope="provider", every=Delay(mean=Duration(5 * DAY)), lasts=Delay(mean=Duration(DAY)))
    )
    for provider in ("azure", "aws", "oracle"):
        own = [status for _, key, status in marks(found) if key == f"provider:{provider}"]
        assert len(own) > 10
        assert own == (["lost", "up"] * len(own))[: len(own)]
    assert all(START <= moment < UNTIL for moment, _ in found.events)
    assert list(found.events) == sorted(found.events, key=lambda event: event[0])


def test_companions_go_down_together() -> None:
    fault = Outages(
        scope="site",
        ids=("tx",),
        every=Delay(fixed=Duration(10 * DAY)),
        lasts=Delay(fixed=Duration(DAY)),
        together=(Companion("pool", "b", after=Delay(fixed=Duration(HOUR))),),
    )
    found = marks(expanded(fault))
    assert found[:4] == [
        (10, "site:tx", "lost"),
        (10 + 1 / 24, "pool:b", "lost"),
        (11, "site:tx", "up"),
        (11 + 1 / 24, "pool:b", "up"),
    ]


def test_one_faults_draws_never_shift_anothers() -> None:
    every, lasts = Delay(mean=Duration(5 * DAY)), Delay(mean=Duration(DAY))
    one = Outages(name="one", scope="site", ids=("tx",), every=every, lasts=lasts)
    other = Outages(name="other", scope="provider", ids=("aws",), every=every, lasts=lasts)
    alone = marks(expanded(one))
    assert alone == [mark for mark in marks(expanded(other, one)) if mark[1] == "site:tx"]
    assert alone != marks(expanded(one, seed=2))


def test_capacity_is_lost_and_comes_back_as_the_catalog_has_it_then() -> None:
    grows = pool("a", nodes=4)
    grows = type(grows)(
        **{name: getattr(grows, name) for name in grows.__struct_fields__ if name != "nodes"},
        nodes=(DatedCount(nodes=4, from_=Instant(0)), DatedCount(nodes=10, from_=at(5))),
    )
    loss = CapacityLoss(pool="a", at=at(2), until=at(8), fraction=0.5)
    assert counts(expanded(loss, world=infrastructure(grows))) == [(2, "a", 2), (5, "a", 5), (8, "a", 10)]
    slipped = CapacityLoss(pool="a", at=at(2), until=at(8), nodes=4)
    assert counts(expanded(slipped, world=infrastructure(grows))) == [(8, "a", 10)]


def test_a_power_cap_rises_in_steps() -> None:
    # 4 + 4 nodes of 8 chips at 10 kW each: 640 kW in all.
    world = infrastructure(pool("a"), pool("b"))
    ramp = PowerLimit(site="tx", at=at(0), until=at(4), cap_mw=0.0, rises_to_mw=0.64, steps=4, kw_per_chip=10)
    found = counts(expanded(ramp, world=world))
    assert found == [(day, name, day) for day in range(5) for name in ("a", "b")]


def test_power_per_chip_follows_from_the_site() -> None:
    world = infrastructure(pool("a"), pool("b"))
    sites = tuple(
        type(site)(
            id=site.id,
            jurisdiction=site.jurisdiction,
            power=(DatedPower(power_mw=Decimal(1), from_=Instant(0)),),
        )
        for site in world.sites
    )
    known = Infrastructure(
        parties=world.parties, providers=world.providers, sites=sites, pools=world.pools, chips=world.chips
    )
    half = PowerLimit(site="tx", at=at(1), until=at(2), cap_mw=0.5)
    assert counts(expanded(half, world=known)) == [(1, "a", 2), (1, "b", 2), (2, "a", 4), (2, "b", 4)]


def test_counted_pools_stay_counted() -> None:
    loss = CapacityLoss(pool="a", at=at(2), until=at(3), fraction=0.5)
    assert counts(expanded(loss, counted={"a": 2})) == [(2, "a", 1), (3, "a", 2)]


def test_prices_change_and_walk() -> None:
    change = expanded(PriceChange(pool="a", at=at(3), times=1.5)).infrastructure.pools_by_id["a"]
    assert [change.price_at(at(day)) for day in (2, 3)] == [Decimal(2), Decimal(3)]
    walk = PriceWalk(pools=("a", "b"), every=Duration(DAY), sigma=0.1)
    walked = expanded(walk).infrastructure
    prices = [walked.pools_by_id["a"].price_at(at(day)) for day in range(100)]
    assert len(set(prices)) > 90
    assert all(price is not None and Decimal("0.1") < price < Decimal(40) for price in prices)
    assert prices != [walked.pools_by_id["b"].price_at(at(day)) for day in range(100)]


def test_names_that_lead_nowhere_are_named() -> None:
    with pytest.raises(InputError) as caught:
        expanded(
            Outage(scope="site", id="txx", at=at(2), lasts=Duration(1)),
            CapacityLoss(pool="c", at=at(1), nodes=1),
        )
    assert [problem.path for problem in caught.value.problems] == ["faults[0].id", "faults[1].pool"]
    assert "'tx'" in caught.value.problems[0].remedy


HEAD = "start: 2026-01-05\nhorizon: 10d\n"
HERE = demand(job("a", run_seconds=4 * 86_400, chips=32, provider="own"), form="{save_every: 1h}")


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (
            "{fault: outage, scope: provider, id: own, at: 2026-01-06, lasts: 6h}",
            (SupplyMarked, Ended, Placed),
        ),
        ("{fault: outage, scope: site, id: texas, at: 2026-01-06, lasts: 6h}", (SupplyMarked, Ended, Placed)),
        (
            "{fault: outages, scope: pool, ids: [home], every: {fixed: 1d}, lasts: {fixed: 1h}}",
            (SupplyMarked, Placed),
        ),
        (
            "{fault: outage, status: draining, scope: pool, id: home, at: 2026-01-06, lasts: 6h}",
            (Stopping, Placed),
        ),
        (
            "{fault: capacity, pool: home, at: 2026-01-06, until: 2026-01-07, nodes: 1}",
            (CapacitySet, Stopping, Placed),
        ),
        (
            "{fault: power, site: texas, at: 2026-01-06, until: 2026-01-07, cap_mw: 0.5}",
            (CapacitySet, Stopping),
        ),
        ("{fault: price, pool: cloud, at: 2026-01-06, times: 2}", (Repriced,)),
        ("{fault: prices, pools: [cloud], every: 12h, sigma: 0.2}", (Repriced,)),
    ],
)
def test_each_kind_shows_in_the_facts(tmp_path: Path, fault: str, kinds: tuple[type, ...]) -> None:
    played = play(tmp_path, f"{HEAD}faults: [{fault}]\n{HERE}")
    quiet = play(tmp_path, HEAD + HERE)
    for kind in kinds:
        assert len(played.facts(kind)) > len(quiet.facts(kind)), kind
    assert played.stage.play.refused == []
    assert played.facts(Ended)[-1].outcome == "done"
