"""A small world drawn from a seed: what exists, what was promised, how to decide, who asks for what."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec

from stargate.agreements import Agreement
from stargate.base.time import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from stargate.broker.policy import Migration, Policy, Recovery, SourcingPolicy, Team
from stargate.catalog import DatedCount, EngineRef, Infrastructure, Pool, Price, Provider, Site
from stargate.catalog.party import Party
from stargate.rehearsal.draw import stream
from stargate.rehearsal.swarm.case import FAULTS, Case
from stargate.rehearsal.swarm.promises import LAB, RIVAL, draw_agreements
from stargate.workloads import Checkpoint, Resources, Topology, Workload

START = Instant.parse("2026-01-05T08:00:00Z")
"""A Monday."""
PROVIDERS = {"azure": "microsoft", "oci": "oracle", "coreweave": "coreweave", "softbank": "softbank"}
SITES = {"texas": "US-TX", "wisconsin": "US-WI", "oslo": "NO", "abu-dhabi": "AE"}
CHIPS = ("H100-SXM", "B200-SXM")
TEAMS = ("pretraining", "product")
WORK_EVERY = 15
"""Commands for each workload that is submitted: most of them are reports."""
MEAN_CHIP_HOURS = 15
"""Of one workload: nodes, chips and hours multiplied."""


class Rates(msgspec.Struct, frozen=True):
    """How often things go wrong in one run, each for one command."""

    of: dict[str, float]
    """By kind of fault."""
    lateness_us: int
    """Mean of what is late."""


class Habits(msgspec.Struct, frozen=True):
    """How a run is driven: not what is said, but how it comes."""

    together_us: int
    """Commands that come within so long of each other are one group commit."""
    singly: bool
    """Each command of it is decided by itself, as the server does."""
    on_disk: bool
    """Entries go through the real journal."""


class Work(msgspec.Struct, frozen=True):
    """Something that is submitted, and when people have had enough of it."""

    at: Instant
    id: str
    workload: Workload
    until: Instant


class Plan(msgspec.Struct, frozen=True):
    """All that a run is given."""

    infrastructure: Infrastructure
    agreements: tuple[Agreement, ...]
    policy: Policy
    rates: Rates
    habits: Habits
    work: tuple[Work, ...]


def draw(case: Case) -> Plan:
    """The world of a case: each part from a stream of its own, so that leaving one out moves no other."""
    chance = stream(case.seed, "infrastructure")
    providers = sorted(chance.sample(sorted(PROVIDERS), chance.randint(1, len(PROVIDERS))))
    pools = tuple(_pool(chance, number, providers) for number in range(chance.randint(1, 6)))
    infrastructure = Infrastructure(
        parties=tuple(Party(id=name) for name in (LAB, RIVAL, *sorted(PROVIDERS.values()))),
        providers=tuple(Provider(id=name, party=PROVIDERS[name]) for name in providers),
        sites=tuple(Site(id=name, jurisdiction=code) for name, code in SITES.items()),
        pools=pools,
    )
    holders = [PROVIDERS[name] for name in providers]
    rates, habits = _rates(stream(case.seed, "rates"), case), _habits(stream(case.seed, "habits"))
    if habits.on_disk and rates.of["crashes"]:
        rates.of["crashes"] = 0.02
    return Plan(
        infrastructure,
        draw_agreements(stream(case.seed, "agreements"), holders, START),
        _policy(stream(case.seed, "policy")),
        rates,
        habits,
        _work(stream(case.seed, "work"), case, pools),
    )


def _pool(chance: random.Random, number: int, providers: list[str]) -> Pool:
    tenure: Any = chance.choice(["owned", "reserved", "on_demand", "on_demand", "market"])
    nodes = [DatedCount(nodes=chance.choice([1, 2, 4, 8, 8]), from_=Instant(0))]
    while chance.random() < 0.3:
        after = (nodes[-1].from_ or START).plus(chance.randint(1, 72) * HOUR)
        nodes.append(DatedCount(nodes=chance.choice([0, 1, 4, 8, 12]), from_=max(after, START)))
    usd = Decimal(chance.randint(10, 40)) / 10
    prices = [Price(usd_per_chip_hour=usd, from_=Instant(0))]
    if chance.random() < 0.3:
        later = START.plus(chance.randint(1, 72) * HOUR)
        prices.append(Price(usd_per_chip_hour=usd * chance.choice([1, 2, 3]) / 2, from_=later))
    if tenure != "on_demand" and chance.random() < 0.3:
        prices = []
    more: dict[str, Any] = {}
    if tenure == "market":
        more = {"start_delay": Duration(chance.choice([0, 0, HOUR, DAY]))}
    elif chance.random() < 0.3:
        more = {"until": START.plus(chance.randint(2, 96) * HOUR)}
    return Pool(
        id=f"p{number}", provider=chance.choice(providers), site=chance.choice(sorted(SITES)),
        chip=CHIPS[chance.random() < 0.25], tenure=tenure, chips_per_node=chance.choice([4, 8, 8, 8]),
        block_nodes=chance.choice([1, 2, 4]), nodes=tuple(nodes), prices=tuple(prices),
        engine=EngineRef(kind="local"), agreement="held" if tenure == "reserved" else None,
        egress_usd_per_gib=Decimal(chance.choice([0, 0, 1])) / 10, **more,
    )  # fmt: skip


def _policy(chance: random.Random) -> Policy:
    teams: tuple[Team, ...] = ()
    if chance.random() < 0.4:
        teams = tuple(
            Team(name, chance.choice([0, 8, 32, 64]), chance.choice([None, None, 0, 16])) for name in TEAMS
        )
    orders: Any = ("priority", "priority", "fifo", "sjf", "srtf")
    return Policy(
        lab=LAB,
        teams=teams,
        max_provider_share=chance.choice([None, None, None, Decimal("0.6")]),
        order=chance.choice(orders),
        backfill=chance.choice(["easy", "easy", "none"]),
        preemption=chance.random() < 0.8,
        backfill_depth=chance.choice([1, 5, 1_000]),
        expected_run=Duration(chance.choice([HOUR, DAY])),
        recovery=Recovery(stop_grace=Duration(chance.choice([0, 30_000_000]))),
        migration=Migration(
            enabled=chance.random() < 0.8,
            min_saving_usd=Decimal(chance.choice([0, 1, 100])),
            restart=Duration(chance.choice([0, 5 * MINUTE])),
        ),
        sourcing=SourcingPolicy(
            automatic=chance.random() < 0.6,
            market_window=Duration(chance.choice([0, 0, HOUR])),
            need_duration=Duration(chance.choice([6 * HOUR, DAY])),
            start_within=Duration(chance.choice([HOUR, DAY])),
            manual_award=chance.random() < 0.2,
            max_parts=chance.choice([1, 2, 8]),
            notice="on_acknowledgement" if chance.random() < 0.2 else "on_issue",
            delivery_grace=Duration(chance.choice([0, HOUR, DAY])),
        ),
    )


def _rates(chance: random.Random, case: Case) -> Rates:
    """A sixth of the runs has no fault, a sixth only one kind."""
    kind = chance.randrange(6)
    only = chance.choice(FAULTS)
    of = {name: chance.choice([0.0, 0.01, 0.05, 0.2]) for name in FAULTS}
    of["crashes"] /= (
        10  # a restart costs as much as a hundred reports, and the state is the same as a report later
    )
    for name in FAULTS:
        if kind == 0 or (kind == 1 and name != only) or name in case.without:
            of[name] = 0.0
    return Rates(of, chance.choice([MINUTE, 20 * MINUTE, 6 * HOUR]))


def _habits(chance: random.Random) -> Habits:
    return Habits(
        together_us=chance.choice([0, SECOND, MINUTE, 10 * MINUTE]),
        singly=chance.random() < 0.3,
        on_disk=chance.random() < 0.1,
    )


def _work(chance: random.Random, case: Case, pools: tuple[Pool, ...]) -> tuple[Work, ...]:
    """Arrivals at a rate that the held nodes can bear, hardly, or not at all; people leave what takes too long."""
    count = max(3, case.events // WORK_EVERY)
    held = sum(pool.nodes[0].nodes * pool.chips_per_node for pool in pools if pool.tenure != "market")
    load = chance.choice([0.2, 0.5, 0.8, 1.2])
    gap = MEAN_CHIP_HOURS * HOUR / (max(8, held) * load)
    patience = chance.choice([HOUR, 6 * HOUR, DAY])
    at, drawn = START, []
    for number in range(count):
        at = at.plus(round(chance.expovariate(1) * gap))
        work = _workload(chance, number, pools, at)
        until = at.plus(round(chance.expovariate(1) * patience))
        drawn.append(Work(at, f"w{number}", work, until))
    return tuple(one for number, one in enumerate(drawn) if number not in case.skip)


def _workload(chance: random.Random, number: int, pools: tuple[Pool, ...], at: Instant) -> Workload:
    kind: Any = chance.choice(["train", "train", "finetune", "batch", "serve"])
    pool = chance.choice(pools)
    fits = chance.random() < 0.85  # made for a pool; the rest may suit nobody
    per_node, nodes = chance.choice([1, 4, 4, 8, 8]), chance.choice([1, 1, 1, 2, 4])
    resources = Resources(
        chip=pool.chip if fits else chance.choice(["H100", "B200"]),
        chips_per_node=min(per_node, pool.chips_per_node) if fits else per_node,
        pool=pool.id if chance.random() < 0.05 else None,
        provider=pool.provider if chance.random() < 0.05 else None,
        max_usd_per_chip_hour=chance.choice([None, None, None, Decimal(2)]),
    )
    other = msgspec.structs.replace(resources, chip="B200", pool=None, provider=None)
    saves = chance.random() < 0.7
    deadline = at.plus(chance.randint(1, 24) * HOUR) if chance.random() < 0.2 else None
    limit = None if kind == "serve" else Duration(chance.choice([10 * MINUTE, HOUR, 8 * HOUR]))
    return Workload(
        name=f"w{number}",
        kind=kind,
        alternatives=(resources, other) if chance.random() < 0.2 else (resources,),
        ordered=chance.random() < 0.5,
        nodes=min(nodes, max(1, pool.nodes[0].nodes)) if fits else nodes,
        replicas=chance.choice([0, 1, 2, 3]) if kind == "serve" else 1,
        team=chance.choice(TEAMS),
        priority=chance.choice([0, 0, 0, 5, 10]),
        product=chance.choice(["", "api", "secret", "phone"]),
        residency=chance.choice([(), (), (), (), (), (), ("US",), ("NO",), ("US-TX", "AE")]),
        deadline=deadline,
        time_limit=limit,
        max_cost_usd=chance.choice([None, None, None, Decimal(200)]),
        topology=Topology(required=chance.choice([None, None, "pool", "block"])),
        checkpoint=Checkpoint(path="ckpt", size_gib=Decimal(chance.choice([0, 100]))) if saves else None,
        preemptible=chance.random() < 0.8,
        max_restarts=chance.choice([0, 1, 3]),
        max_recoveries=chance.choice([0, 2, 10]),
    )
