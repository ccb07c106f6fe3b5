"""Kueue's published scheduler benchmark, decided by the broker: admissions a second, waits by class, use of quotas.

`python -m bench.kueue [baseline] [large-scale] [tas] [--json]`.

The three configurations are those of kubernetes-sigs/kueue at ff69552 (2026-08-23), test/performance/scheduler:
queues, quotas, classes, intervals, run times and priorities as they stand there, and the results that its maintainers
calibrated their limits with. A cohort is a pool of as many chips as its queues' nominal quotas together, so that what
one queue borrows another of the same cohort has left idle. With topology all share 640 nodes in 10 racks, of which
quotas are a hundredth: there all queues lend to each other, and pods of a gang stand on nodes of their own.

Each is played twice. First decisions take no time: what is left is waiting for quota. Then the clock moves on by the
CPU time of every decision, as if one core decided and the world went on meanwhile.

Kueue's figures hold what ours do not: envtest's API server and etcd, into which each admission and each end is
written through a client of 50 requests a second, and controllers beside the scheduler. They are no race between two
schedulers; they say what a user of each waits.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from stargate.base.errors import UserError
from stargate.base.time import SECOND, Duration, Instant
from stargate.broker import Effect, Entry, Envelope, Machine, Policy, StartAttempt, StopAttempt
from stargate.broker.command import Command, Declare, Report, Submit, Wake
from stargate.broker.fact import Ended, Placed, WorkloadEnded
from stargate.broker.policy import Migration, SourcingPolicy, Team
from stargate.catalog import Infrastructure, Party, Pool, Provider, Site
from stargate.catalog.dated import DatedCount
from stargate.catalog.pool import EngineRef
from stargate.rehearsal.play import patient_collector
from stargate.workloads import Resources, Topology, Workload

BEGINNING = Instant.parse("2026-01-01")
MS = SECOND // 1000
CHIP = "H100-SXM"
LARGEST_NODE = 1_000


class Kind(NamedTuple):
    """One class of workloads, and how often one comes to each queue."""

    name: str
    each: int
    every_ms: int
    run_ms: int
    priority: int
    pods: int
    chips: int
    """Of a pod."""
    near: str = ""
    """`required` or `preferred`: its pods in one rack."""


class Published(NamedTuple):
    """What Kueue's maintainers measured."""

    wall_s: float
    use_percent: float
    wait_s: dict[str, float]
    """By class, on average."""


class Config(NamedTuple):
    """One configuration."""

    cohorts: int
    queues: int
    nominal: int
    borrowing: int
    kinds: tuple[Kind, ...]
    published: Published
    nodes: int = 0
    """With topology: nodes that all cohorts share; 0: none."""
    chips_per_node: int = 0
    rack_nodes: int = 0


BASELINE = (
    Kind("small", 350, 100, 200, 50, 1, 1),
    Kind("medium", 100, 500, 500, 100, 1, 5),
    Kind("large", 50, 1200, 1000, 200, 1, 20),
)
LARGE_SCALE = (
    Kind("small", 35, 60, 150, 50, 1, 1),
    Kind("medium", 11, 300, 350, 100, 1, 5),
    Kind("large", 4, 700, 700, 200, 1, 20),
)
# A quarter of a CPU is a chip here, as pods ask for 0.5, 1.25 and 2.5. Balanced ones ask that parts of a gang stay in
# a rack each: here the whole gang prefers one rack, and gets it.
TAS = tuple(
    Kind(f"{size}-{how}-rack", count, every, run, priority, pods, chips, near)
    for size, counts, every, run, priority, pods, chips in (
        ("small", (120, 120, 110), 100, 200, 50, 2, 2),
        ("medium", (34, 33, 33), 500, 500, 100, 4, 5),
        ("large", (17, 17, 16), 1200, 1000, 200, 8, 10),
    )
    for how, near, count in zip(
        ("required", "preferred", "balanced"), ("required", "preferred", "preferred"), counts, strict=True
    )
)
CONFIGS = {
    "baseline": Config(
        5, 6, 20, 100, BASELINE, Published(351.1, 55.9, {"small": 215.468, "medium": 76.768, "large": 16.501})
    ),
    "large-scale": Config(
        10, 100, 20, 100, LARGE_SCALE,
        Published(1179.4, 38.64, {"small": 700.379, "medium": 256.413, "large": 105.604}),
    ),
    "tas": Config(
        5, 6, 80, 400, TAS,
        Published(
            401.5, 62.41,
            {
                "small-required-rack": 246.755, "small-preferred-rack": 246.090, "small-balanced-rack": 237.846,
                "medium-required-rack": 107.071, "medium-preferred-rack": 106.324, "medium-balanced-rack": 106.303,
                "large-required-rack": 39.625, "large-preferred-rack": 39.573, "large-balanced-rack": 37.862,
            },
        ),
        nodes=640, chips_per_node=384, rack_nodes=64,
    ),
}  # fmt: skip


def cohort_of(config: Config, cohort: int) -> str:
    """The pool in which a cohort's workloads run: its queues lend to each other."""
    return "shared" if config.nodes else f"cohort-{cohort}"


def declared(config: Config) -> Declare:
    """Pools and quotas."""
    names = dict.fromkeys(cohort_of(config, cohort) for cohort in range(config.cohorts))
    chips = config.nominal * config.queues
    per_node = config.chips_per_node or min(chips, LARGEST_NODE)
    nodes = config.nodes or chips // per_node
    pools = tuple(
        Pool(
            id=name, provider=name, site="here", chip=CHIP, tenure="owned", chips_per_node=per_node,
            block_nodes=config.rack_nodes or nodes, engine=EngineRef(kind="local"),
            nodes=(DatedCount(nodes=nodes, from_=Instant(0)),),
        )
        for name in names
    )  # fmt: skip
    infrastructure = Infrastructure(
        parties=(Party(id="lab"),),
        providers=tuple(Provider(id=name, party="lab") for name in names),
        sites=(Site(id="here", jurisdiction="US"),),
        pools=pools,
    )
    teams = tuple(
        Team(f"cq-{cohort}-{queue}", config.nominal, config.borrowing)
        for cohort in range(config.cohorts)
        for queue in range(config.queues)
    )
    policy = Policy(
        lab="lab", teams=teams, migration=Migration(enabled=False), sourcing=SourcingPolicy(automatic=False)
    )
    return Declare(infrastructure, (), policy)


class Job(NamedTuple):
    """One workload of the benchmark."""

    at: Instant
    kind: Kind
    cohort: int
    queue: int
    number: int

    @property
    def id(self) -> str:
        return f"{self.kind.name}-{self.cohort}-{self.queue}-{self.number}"

    @property
    def team(self) -> str:
        return f"cq-{self.cohort}-{self.queue}"


def jobs(config: Config) -> list[Job]:
    """In the order in which they come."""
    found = [
        Job(BEGINNING.plus(Duration((number + 1) * kind.every_ms * MS)), kind, cohort, queue, number)
        for cohort in range(config.cohorts)
        for queue in range(config.queues)
        for kind in config.kinds
        for number in range(kind.each)
    ]
    return sorted(found, key=lambda job: job.at)


def submitted(config: Config, job: Job) -> Submit:
    """The workload as our users would write it: with the time that it takes."""
    kind = job.kind
    work = Workload(
        name=job.id,
        kind="batch",
        alternatives=(
            Resources(chip=CHIP, chips_per_node=kind.chips, provider=cohort_of(config, job.cohort)),
        ),
        nodes=kind.pods,
        team=job.team,
        priority=kind.priority,
        time_limit=Duration(kind.run_ms * MS),
        topology=Topology(
            required="block" if kind.near == "required" else None,
            preferred="block" if kind.near == "preferred" else None,
        ),
    )
    return Submit(job.id, work)


class Watch:
    """What Kueue's recorder measures, from the facts; and whether a quota was ever exceeded."""

    def __init__(self, config: Config, come: list[Job]) -> None:
        self._config = config
        self._jobs = {job.id: job for job in come}
        self._live: dict[str, tuple[Job, int, Instant]] = {}
        self._used: Counter[str] = Counter()
        self._shared: Counter[str] = Counter()
        self.admitted_at: dict[str, Instant] = {}
        """The last admission, as there."""
        self.admissions = self.evictions = self.ended = self.apart = 0
        self.chip_us = 0
        self.last = BEGINNING
        self.most_queue = self.most_cohort = 0

    def see(self, entries: tuple[Entry, ...]) -> None:
        """Entries as they come."""
        for entry in entries:
            fact, at = entry.fact, entry.at
            if isinstance(fact, Placed):
                job = self._jobs[fact.workload]
                chips = len(fact.nodes) * fact.chips_per_node
                self._live[fact.attempt] = (job, chips, at)
                self._count(job, chips)
                self.admitted_at[job.id] = at
                self.admissions += 1
                rack = self._config.rack_nodes
                self.apart += bool(rack) and len({node // rack for node in fact.nodes}) > 1
            elif isinstance(fact, Ended):
                job, chips, since = self._live.pop(fact.attempt)
                self._count(job, -chips)
                self.chip_us += chips * (at - since)
                self.evictions += fact.outcome == "stopped"
                self.last = at
            elif isinstance(fact, WorkloadEnded):
                self.ended += fact.outcome == "succeeded"

    def _count(self, job: Job, chips: int) -> None:
        self._used[job.team] += chips
        cohort = cohort_of(self._config, job.cohort)
        self._shared[cohort] += chips
        self.most_queue = max(self.most_queue, self._used[job.team])
        self.most_cohort = max(self.most_cohort, self._shared[cohort])

    def result(self) -> dict[str, Any]:
        """The figures of one play."""
        config = self._config
        wall_s = (self.last - BEGINNING) / SECOND
        waits = defaultdict(list)
        for name, at in self.admitted_at.items():
            waits[self._jobs[name].kind.name].append((at - self._jobs[name].at) / SECOND)
        total = config.nominal * config.queues * config.cohorts
        return {
            "jobs": len(self._jobs),
            "wall_s": wall_s,
            "use_percent": 100 * self.chip_us / (total * (self.last - BEGINNING)),
            "wait_s": {name: sum(found) / len(found) for name, found in waits.items()},
            "evictions": self.evictions,
            "apart": self.apart,
            "unfinished": len(self._jobs) - self.ended,
            "most_of_a_queue": self.most_queue / (config.nominal + config.borrowing),
            "most_of_a_cohort": self.most_cohort / (total / len(self._shared)),
        }


def answers(effect: Effect, now: Instant, run: dict[str, Duration]) -> Iterator[tuple[Instant, Command]]:
    """It runs for as long as its class says, and stops when it is told to."""
    if isinstance(effect, StartAttempt):
        yield now.plus(run[effect.workload_id]), Report(effect.attempt, "done")
    elif isinstance(effect, StopAttempt):
        yield now, Report(effect.attempt, "stopped")


def play(config: Config, *, charged: bool) -> dict[str, Any]:
    """One play; `charged`: the clock moves on by what decisions take."""
    come = jobs(config)
    machine, watch = Machine(), Watch(config, come)
    watch.see(machine.handle(Envelope("declare", BEGINNING, declared(config))).entries)
    run = {job.id: Duration(job.kind.run_ms * MS) for job in come}
    coming: list[tuple[Instant, int, Command]] = [
        (job.at, place, submitted(config, job)) for place, job in enumerate(come)
    ]
    said, now, spent_ns = len(coming), BEGINNING, 0
    late: list[int] = []
    while coming or (machine.next_due() or 0) > now:
        due = machine.next_due()
        at = max(now, coming[0][0] if due is None or (coming and coming[0][0] < due) else due)
        commands: list[Command] = [] if due is None or due > at else [Wake()]
        while coming and coming[0][0] <= at:
            commands.append(heapq.heappop(coming)[2])
        envelopes = [Envelope(f"{said + n}", at, command) for n, command in enumerate(commands)]
        said += len(envelopes)
        begun = time.process_time_ns()
        outcomes = machine.handle_all(envelopes)
        took = time.process_time_ns() - begun
        spent_ns += took
        late.append(took)
        now = at.plus(Duration(took // 1000)) if charged else at
        for outcome in outcomes:
            if isinstance(outcome, UserError):
                continue
            watch.see(outcome.entries)
            for effect in outcome.effects:
                for moment, command in answers(effect, now, run):
                    said += 1
                    heapq.heappush(coming, (moment, said, command))
    found = watch.result()
    late.sort()
    return found | {
        "cpu_s": spent_ns / 1e9,
        "admissions_per_cpu_s": watch.admissions / (spent_ns / 1e9),
        "median_decision_ms": late[len(late) // 2] / 1e6,
        "longest_decision_ms": late[-1] / 1e6,
    }


def floor_s(config: Config) -> float:
    """The work, done without a gap on all quota."""
    work = sum(kind.each * kind.run_ms * kind.pods * kind.chips for kind in config.kinds)
    return work / 1000 / config.nominal


def say(name: str, config: Config, free: dict[str, Any], charged: dict[str, Any]) -> None:
    """One configuration as a table: theirs, ours, and how many times theirs is ours."""
    theirs, jobs = config.published, free["jobs"]
    print(
        f"\n{name}: {jobs:,} workloads, {config.cohorts * config.queues:,} queues; floor {floor_s(config):.1f} s"
    )
    rows: list[tuple[str, float, float, float]] = [
        ("all admitted and done, s", theirs.wall_s, charged["wall_s"], free["wall_s"]),
        ("admitted a second", *(jobs / wall for wall in (theirs.wall_s, charged["wall_s"], free["wall_s"]))),
        ("use of quota, %", theirs.use_percent, charged["use_percent"], free["use_percent"]),
    ]
    rows += [
        (f"wait of {kind}, s", wait, charged["wait_s"][kind], free["wait_s"][kind])
        for kind, wait in theirs.wait_s.items()
    ]
    print(f"  {'':32}{'Kueue':>10}{'ours':>10}{'Kueue/ours':>12}{'ours, decisions free':>22}")
    for label, their, our, ideal in rows:
        print(f"  {label:32}{their:10.1f}{our:10.2f}{their / our:12.2f}{ideal:22.2f}")
    print(
        f"  {charged['admissions_per_cpu_s']:,.0f} admissions a CPU-second; decisions {charged['cpu_s']:.1f} s,"
        f" median {charged['median_decision_ms']:.1f} ms, longest {charged['longest_decision_ms']:.0f} ms;"
        f" {charged['evictions']:,} evicted"
    )
    queue, cohort = (max(free[most], charged[most]) for most in ("most_of_a_queue", "most_of_a_cohort"))
    print(
        f"  at most {queue:.0%} of what a queue may use, {cohort:.2%} of a"
        f" cohort's quota; {charged['unfinished']} unfinished, {charged['apart']} gangs over two racks"
    )


def main() -> int:
    """Play and print. Status 1 where a queue's limit was passed, or work or its nearness was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", nargs="*", metavar="|".join(CONFIGS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    wrong = [name for name in given.config if name not in CONFIGS]
    if wrong:
        parser.error(f"no configuration is called {wrong[0]}; there are {', '.join(CONFIGS)}")
    found = {}
    for name in given.config or CONFIGS:
        config = CONFIGS[name]
        with patient_collector():
            free, charged = (play(config, charged=charged) for charged in (False, True))
        found[name] = {"free": free, "charged": charged, "kueue": config.published._asdict()}
        if not given.json:
            say(name, config, free, charged)
    if given.json:
        print(json.dumps(found))
    plays = [one[how] for one in found.values() for how in ("free", "charged")]
    return int(any(one["unfinished"] or one["apart"] or one["most_of_a_queue"] > 1 for one in plays))


if __name__ == "__main__":
    sys.exit(main())
