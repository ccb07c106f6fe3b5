"""The input that placement benchmarks share: many offers of twelve providers, under thirty agreements."""

from __future__ import annotations

import random
from decimal import Decimal

from stargate.agreements import Agreement
from stargate.agreements.clause import ExclusiveServing, Residency
from stargate.agreements.scope import Filter
from stargate.base.time import HOUR, Duration, Instant
from stargate.catalog import Infrastructure
from stargate.catalog.dated import DatedCount, Price
from stargate.catalog.party import Party, Provider
from stargate.catalog.pool import EngineRef, Pool
from stargate.catalog.site import Site
from stargate.workloads import Checkpoint, Resources, Workload

NOW = Instant.parse("2026-01-01")
PROVIDERS = (
    "lambda", "runpod", "nebius", "fluidstack", "cudo", "paperspace", "do", "ibm", "oci", "hyperbolic", "verda", "vast",
)  # fmt: skip
"""Twelve, under the names that the peer knows them by."""
JURISDICTIONS = ("US-TX", "US-WI", "US-OH", "NO-18", "DE-BE", "GB-LND", "AE-AZ", "JP-13")
SITES_PER_PROVIDER = 24


def infrastructure(offers: int, seed: int = 1) -> Infrastructure:
    """`offers` on-demand pools of 8-chip H100 nodes over all providers and sites, each at a price of its own."""
    draw = random.Random(seed)
    sites = tuple(
        Site(id=f"{provider}-r{number}", jurisdiction=JURISDICTIONS[number % len(JURISDICTIONS)])
        for provider in PROVIDERS
        for number in range(SITES_PER_PROVIDER)
    )
    pools = tuple(
        Pool(
            id=f"offer-{number}",
            provider=PROVIDERS[number % len(PROVIDERS)],
            site=f"{PROVIDERS[number % len(PROVIDERS)]}-r{draw.randrange(SITES_PER_PROVIDER)}",
            chip="H100-SXM",
            engine=EngineRef(kind="local"),
            chips_per_node=8,
            block_nodes=4,
            tenure="on_demand",
            nodes=(DatedCount(nodes=draw.choice((1, 2, 8, 64)), from_=Instant(0)),),
            prices=(
                Price(
                    usd_per_chip_hour=Decimal(draw.randrange(1_500_000, 12_000_000)).scaleb(-6),
                    from_=Instant(0),
                ),
            ),
        )
        for number in range(offers)
    )
    return Infrastructure(
        parties=(Party(id="lab"), *(Party(id=f"{name}-inc") for name in PROVIDERS)),
        providers=tuple(Provider(id=name, party=f"{name}-inc") for name in PROVIDERS),
        sites=sites,
        pools=pools,
    )


def agreements(count: int) -> tuple[Agreement, ...]:
    """`count` signed agreements: each keeps a product with one provider, and something else at home."""
    return tuple(
        Agreement(
            id=f"deal-{number}",
            parties=("lab", f"{PROVIDERS[number % len(PROVIDERS)]}-inc"),
            customer="lab",
            supplier=f"{PROVIDERS[number % len(PROVIDERS)]}-inc",
            signed_on=Instant(0),
            clauses=(
                ExclusiveServing(id="exclusive", products=(f"product-{number}",), actions=("serve", "train")),
                Residency(
                    id="home",
                    jurisdictions=("US",),
                    grantor="lab",
                    scope=(Filter(field="team", operator="In", values=(f"team-{number % 5}",)),),
                ),
            ),
        )
        for number in range(count)
    )


def workload(name: str, team: str = "team-1") -> Workload:
    """A training run on one 8-chip node for an hour."""
    return Workload(
        name=name,
        kind="train",
        team=team,
        alternatives=(Resources(chip="H100", chips_per_node=8),),
        time_limit=Duration(1 * HOUR),
        checkpoint=Checkpoint(path="checkpoint"),
    )
