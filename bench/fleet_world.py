"""What the fleet benchmark rehearses: pools of any number of chips in all, thirty agreements, and demand.

Every ten thousand chips are ten pools: one of 4,096 chips, two of 1,536, two of 768, five of about 256. A larger fleet
has more of them, not larger ones, and more jobs of the same kinds: the load is the same, and so is how queues form.
"""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stargate.agreements import Agreement
from stargate.agreements.clause import (
    Clause,
    Commitment,
    Entitlement,
    ExclusiveServing,
    FirstRefusal,
    Residency,
)
from stargate.agreements.clause import Price as PriceClause
from stargate.agreements.right import Window
from stargate.agreements.scope import Filter
from stargate.base.document import parse
from stargate.base.time import MINUTE, Duration, Instant
from stargate.broker.policy import Policy, Team
from stargate.catalog import DatedCount, EngineRef, Infrastructure, Party, Pool, Price, Provider, Site
from stargate.rehearsal.demand import Form, Source
from stargate.rehearsal.policies import PolicyName
from stargate.rehearsal.scenario import Declared, Plan, Scenario
from stargate.rehearsal.traces.demand import Demand, shipped
from stargate.rehearsal.traces.demand.law import grid
from stargate.rehearsal.traces.transform.assign import Assign, Rule

START = Instant.parse("2026-01-05")
PROVIDERS = (
    "azure", "oracle", "softbank", "aws", "google", "coreweave", "crusoe", "nebius", "lambda", "nscale", "g42", "own",
)  # fmt: skip
JURISDICTIONS = ("US-TX", "US-WI", "US-OH", "US-NM", "NO-18", "GB-LND", "AE-AZ", "JP-13")
GB200, H100, MI355X = "GB200-NVL72", "H100-SXM", "MI355X"
SHAPES = {GB200: (4, 18), H100: (8, 4), MI355X: (8, 8)}
"""Chips of a node, nodes of a block."""
POOLS = (
    (GB200, 4_096), (H100, 1_536), (MI355X, 1_536), (GB200, 768), (H100, 768),
    (H100, 256), (MI355X, 256), (GB200, 256), (H100, 256), (MI355X, 272),
)  # fmt: skip
"""Ten pools: ten thousand chips together."""
POOLS_PER_SITE = 5
TEAMS = {"frontier": 0.4, "research": 0.3, "product": 0.2, "safety": 0.1}
"""Shares of the jobs that are theirs, but for the largest, which are all of the first."""
QUOTAS = {"frontier": 0.5, "research": 0.25, "product": 0.165, "safety": 0.085}
"""Shares of the fleet: about what each wants on average, so that who borrows depends on the moment."""
DAY_SECONDS = 86_400
EXCLUSIVES = 6
AGREEMENTS = 30


def infrastructure(chips: int, seed: int) -> Infrastructure:
    """Pools of so many chips in all, spread over twelve providers and their sites."""
    draw = random.Random(seed)
    count = max(len(POOLS), round(chips / 1_000))
    sites_each = -(-count // (len(PROVIDERS) * POOLS_PER_SITE))
    sites = tuple(
        Site(
            id=f"{provider}-{number}",
            jurisdiction=JURISDICTIONS[(number + place) % len(JURISDICTIONS)],
        )
        for place, provider in enumerate(PROVIDERS)
        for number in range(sites_each)
    )
    return Infrastructure(
        parties=(Party(id="lab"), *(Party(id=f"{name}-inc") for name in PROVIDERS)),
        providers=tuple(Provider(id=name, party=f"{name}-inc") for name in PROVIDERS),
        sites=sites,
        pools=tuple(_pool(number, sites_each, draw) for number in range(count)),
    )


def _pool(number: int, sites_each: int, draw: random.Random) -> Pool:
    # Each ten pools begin with another provider, so that all of them hold every size.
    place = (number + number // len(POOLS)) % len(PROVIDERS)
    provider = PROVIDERS[place]
    chip, size = POOLS[number % len(POOLS)]
    per_node, block = SHAPES[chip]
    tenure = "owned" if provider == "own" else ("reserved", "on_demand", "on_demand")[number % 3]
    prices = [Price(usd_per_chip_hour=_price(draw), from_=Instant(0))]
    if number % 50 == 7:
        moment = START.plus(Duration(draw.randrange(1, 240) * MINUTE))
        prices.append(Price(usd_per_chip_hour=_price(draw), from_=moment))
    return Pool(
        id=f"pool-{number}",
        provider=provider,
        site=f"{provider}-{number // len(PROVIDERS) % sites_each}",
        chip=chip,
        engine=EngineRef(kind="local"),
        chips_per_node=per_node,
        block_nodes=block,
        tenure=tenure,  # type: ignore[arg-type]  # one of the tenures
        agreement=None if provider == "own" else f"master-{provider}",
        nodes=(DatedCount(nodes=size // per_node, from_=Instant(0)),),
        prices=tuple(prices),
    )


def _price(draw: random.Random) -> Decimal:
    return Decimal(draw.randrange(1_500_000, 12_000_000)).scaleb(-6)


def agreements(chips: int) -> tuple[Agreement, ...]:
    """Thirty: masters with commitments and prices; who alone may run what, what stays where, who is asked first."""
    outside = PROVIDERS[:-1]
    found = [_signed(f"master-{name}", name, _terms(chips, place)) for place, name in enumerate(outside)]
    for number in range(EXCLUSIVES):
        until = "2026-01-05T01:30:00Z" if number == EXCLUSIVES - 1 else None
        alone = ExclusiveServing(
            id="alone", products=(f"product-{number}",), actions=("serve", "train", "batch"), until=until
        )
        found.append(_signed(f"alone-{number}", outside[number], (alone,)))
    for number, team in enumerate(TEAMS):
        where = (
            Filter(field="team", operator="In", values=(team,)),
            Filter(field="kind", operator="In", values=("finetune",)),
        )
        home = Residency(
            id="home", jurisdictions=("US", "NO", "GB") if number else ("US",), grantor="lab", scope=where
        )
        found.append(_signed(f"home-{team}", outside[number], (home,)))
    for number in range(5):
        first = FirstRefusal(
            id="first", mode="first_offer", grantor="lab", rank=number + 1, window=Window(30, "minutes")
        )
        found.append(_signed(f"first-{number}", outside[number], (first,)))
    for number in range(AGREEMENTS - len(found)):
        grant = Entitlement(id="weights", rights=("use",), assets=(f"model-{number}",))
        found.append(_signed(f"grant-{number}", outside[number], (grant,)))
    return tuple(found)


def _terms(chips: int, place: int) -> tuple[Clause, ...]:
    """Some hours of what the provider has at three dollars, so that commitments are used up one after another."""
    amount = Decimal(chips // len(PROVIDERS) * 3 * (1 + place))
    return (
        Commitment(id="spend", amount=amount),
        PriceClause(id="rate", price_usd=Decimal("2.50") + Decimal(place) / 10),
    )


def _signed(name: str, provider: str, clauses: tuple[Clause, ...]) -> Agreement:
    party = f"{provider}-inc"
    return Agreement(
        id=name, parties=("lab", party), customer="lab", supplier=party, signed_on=Instant(0), clauses=clauses
    )


def policy(chips: int) -> Policy:
    """Own: priorities, fair shares of teams with borrowing, independence, prices, purchases."""
    teams = tuple(Team(id=name, nominal_chips=round(share * chips)) for name, share in QUOTAS.items())
    return Policy(lab="lab", teams=teams, max_provider_share=Decimal("0.5"))


class Part(NamedTuple):
    """Jobs of one kind."""

    name: str
    profile: str
    """Of Acme's two clusters."""
    share: float
    """Of all jobs, by number."""
    times: int = 1
    """Every gang this many times as large."""
    most_chips: int = 1_024
    priority: int = 0
    product: str = ""
    chips: dict[str, float] | None = None
    """Kinds of chips by share; None: whatever is there."""


ANY = {GB200: 0.42, H100: 0.34, MI355X: 0.24}
PARTS = (
    Part("kalos", "kalos", 0.47, chips=ANY),
    Part("seren", "seren", 0.30, chips=ANY),
    Part("urgent", "seren", 0.10, priority=10, chips=ANY),
    Part("frontier", "kalos", 0.03, times=4, most_chips=4_096, priority=5, chips={GB200: 1.0}),
    *(
        Part(f"product-{number}", "seren", 0.02, most_chips=128, product=f"product-{number}")
        for number in range(5)
    ),
)


def plan(chips: int, jobs: int, load: float, named: PolicyName, seed: int) -> Plan:
    """The scenario, as if it had been read from files."""
    scenario = Scenario(
        name=f"{chips} chips",
        start=START,
        seed=seed,
        policy_named=named,
        demand=_sources(chips, jobs, load, seed),
    )
    declared = Declared(infrastructure(chips, seed), agreements(chips), (), policy(chips))
    (document,) = parse("scenario: {}")
    return Plan(scenario, document, Path(), declared, {}, (), f"fleet {chips} {jobs} {load} {seed}")


def _sources(chips: int, jobs: int, load: float, seed: int) -> tuple[Source, ...]:
    """So many jobs, submitted evenly within a time in which they want `load` times what the fleet can do in it."""
    days = _window_seconds(jobs / chips, load) / DAY_SECONDS
    return tuple(
        Source(
            name=part.name,
            generate=Demand(
                part.profile,
                days=days,
                jobs_per_day=jobs * part.share / days,
                chips_times=part.times,
                most_chips=part.most_chips,
                arrivals="flat",
                seed=seed * 100 + place,
            ),
            transform=(Assign(_rules(part), seed),),
            form=Form(priority=part.priority, product=part.product),
        )
        for place, part in enumerate(PARTS)
    )


def _window_seconds(jobs_per_chip: float, load: float) -> float:
    """The time in which so many jobs want `load` times the chips: of a job that runs on, what falls into that time."""
    laws = {profile.name: profile.law for profile in shipped().profiles}
    points = [(part.share, grid(laws[part.profile], part.times, part.most_chips)) for part in PARTS]
    short, long = 1.0, 30.0 * DAY_SECONDS
    while long - short > 1:
        middle = (short + long) / 2
        wanted = jobs_per_chip * sum(
            share * one.mean(one.chips * np.minimum(one.runs, middle)) for share, one in points
        )
        short, long = (middle, long) if wanted > load * middle else (short, middle)
    return long


def _rules(part: Part) -> tuple[Rule, ...]:
    team: str | dict[str, float] = {"frontier": "frontier"}.get(part.name) or TEAMS
    kinds = {"train": 0.7, "batch": 0.3} if part.product else {"train": 0.6, "finetune": 0.1, "batch": 0.3}
    return (Rule(team=team, kind=kinds, chip=part.chips),)
