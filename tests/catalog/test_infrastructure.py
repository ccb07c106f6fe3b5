"""Lookups, travel, and four million chips."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import NotFoundError
from stargate.base.time import Instant
from stargate.base.wire import from_json, pack, to_json, unpacker
from stargate.catalog import (
    Chip,
    DatedCount,
    EngineRef,
    Figure,
    Infrastructure,
    Party,
    Pool,
    Price,
    Provider,
    Site,
    builtin_chips,
    check_infrastructure,
    doubts,
)

START = Instant.parse("2025-01-01")


def large(pools: int, nodes: int) -> Infrastructure:
    """`pools` pools of `nodes` nodes with 8 chips each, spread over 40 sites of 12 providers."""
    return Infrastructure(
        parties=tuple(Party(id=f"party-{n}") for n in range(12)),
        providers=tuple(Provider(id=f"provider-{n}", party=f"party-{n}") for n in range(12)),
        sites=tuple(Site(id=f"site-{n}", jurisdiction="US-TX") for n in range(40)),
        pools=tuple(
            Pool(
                id=f"pool-{n}",
                provider=f"provider-{n % 12}",
                site=f"site-{n % 40}",
                chip="H100-SXM",
                tenure="on_demand",
                chips_per_node=8,
                block_nodes=4,
                nodes=(DatedCount(from_=START, nodes=nodes),),
                prices=(Price(from_=START, usd_per_chip_hour=Decimal("2.5")),),
                engine=EngineRef("local", {"slots": 4}),
            )
            for n in range(pools)
        ),
    )


def test_four_million_chips_are_counts() -> None:
    infrastructure = large(pools=400, nodes=1_250)
    assert infrastructure.chips_at(START) == 4_000_000
    packed = pack(infrastructure)
    assert len(packed) < 200_000, "the record grows with pools, never with chips"
    again = unpacker(Infrastructure).decode(packed)
    assert again == infrastructure
    assert again.chips_at(START) == 4_000_000
    assert check_infrastructure(again) == ()
    assert doubts(again) == ()
    assert len(pack(large(pools=400, nodes=1_000_000))) < 200_000


def test_lookups() -> None:
    infrastructure = large(pools=3, nodes=1)
    assert infrastructure.pool("pool-1").site == "site-1"
    assert infrastructure.site("site-39").id == "site-39"
    assert infrastructure.provider("provider-2").party == "party-2"
    assert infrastructure.party("party-11").id == "party-11"
    assert infrastructure.pools_by_id is infrastructure.pools_by_id, "built once"
    with pytest.raises(NotFoundError, match=r"no pool is called 'pool1'. Did you mean 'pool-1'\?"):
        infrastructure.pool("pool1")
    with pytest.raises(NotFoundError, match="no fabric"):
        infrastructure.fabric("x")


def test_lookups_never_travel() -> None:
    infrastructure = large(pools=3, nodes=1)
    before = pack(infrastructure)
    assert infrastructure.pool("pool-1").id == "pool-1"
    assert infrastructure.chip_named("H100").id == "H100-SXM"
    assert pack(infrastructure) == before
    assert infrastructure == large(pools=3, nodes=1)


def test_an_infrastructure_without_chips_uses_the_shipped_table() -> None:
    assert Infrastructure().chip_named("GB200").id == "GB200-NVL72"
    own = Infrastructure(chips=(Chip(id="Abacus", aliases=("beads",)),))
    assert own.chip_named("beads").id == "Abacus"
    with pytest.raises(NotFoundError, match="no chip is called 'H100'"):
        own.chip_named("H100")


FIGURES = st.none() | st.decimals(min_value="0.001", max_value="9999", places=3).map(
    lambda value: Figure(value=value)
)


@settings(max_examples=50, deadline=None)
@given(
    figure=FIGURES,
    nodes=st.integers(0, 10_000_000),
    at=st.integers(0, 4 * 10**15).map(Instant),
    price=st.decimals(min_value=0, max_value=1000, places=6),
)
def test_records_survive_travel(figure: Figure | None, nodes: int, at: Instant, price: Decimal) -> None:
    infrastructure = Infrastructure(
        chips=(*builtin_chips(), Chip(id="X", tdp_w=figure, memory_gb=Decimal(5))),
        pools=(
            Pool(
                id="p",
                provider="a",
                site="b",
                chip="X",
                tenure="market",
                chips_per_node=4,
                nodes=(DatedCount(from_=at, nodes=nodes),),
                prices=(Price(from_=at, usd_per_chip_hour=price),),
                until=at,
            ),
        ),
    )
    packed = pack(infrastructure)
    again = unpacker(Infrastructure).decode(packed)
    assert again == infrastructure
    assert pack(again) == packed, "the same record gives the same bytes"
    assert from_json(to_json(infrastructure), Infrastructure) == infrastructure
