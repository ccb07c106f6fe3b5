"""The flat pool: one pool of single chips, without blocks, networks, prices or promises, as plain simulators have it.

The broker and its driver are the ones of every other rehearsal; only the world is plain. Jobs that are larger than the
pool are left out. Under `fifo`, `sjf` and `easy` the schedule is that of the textbook.

The chips may stand in nodes: a job that fits one node gets its chips on one, and a larger one gets whole nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from stargate.base.errors import InputError, Problem
from stargate.base.ids import is_name
from stargate.base.time import SECOND, Duration, Instant
from stargate.broker import Effect, Envelope, Machine, StartAttempt, State, StopAttempt
from stargate.broker.command import Declare, Report, Submit
from stargate.broker.policy import Policy
from stargate.catalog import Infrastructure, Party, Pool, Provider, Site
from stargate.catalog.dated import DatedCount
from stargate.catalog.pool import EngineRef
from stargate.rehearsal.clock import Clock, Event
from stargate.rehearsal.play import Play, Sink
from stargate.rehearsal.policies import named
from stargate.rehearsal.schedule import Row
from stargate.rehearsal.traces import Job
from stargate.workloads import Checkpoint, Resources, Workload

BEGINNING = Instant.parse("2000-01-01")
"""Second 0 of every trace."""
CHIP = "H100-SXM"
POOL = "flat"
BLOCK_NODES = 64
"""Of single chips the size of the bitmaps; it has no meaning, as nobody asks for a block."""
_CHECKPOINT = Checkpoint(path="checkpoint")

Cost = Callable[[Job], int]
"""Seconds that a job loses each time it is stopped: to save, and to read it back."""


@dataclass(frozen=True)
class Flat:
    """One flat rehearsal: what it was given and what became of it."""

    policy: Policy
    chips: int
    jobs: tuple[Job, ...]
    """In order of submission, those left out too."""
    nodes_of: int
    """Chips of a node."""
    rows: tuple[Row, ...]
    """In order of submission."""
    too_large: tuple[str, ...]
    """Jobs that were left out because the pool is smaller than they are."""
    facts: int
    state: State
    """The broker's, at the end."""

    @cached_property
    def input_digest(self) -> str:
        """Of jobs, chips, nodes and policy: equal inputs, equal digest."""
        return digest(self.jobs, self.chips, self.nodes_of, self.policy)

    @cached_property
    def state_digest(self) -> str:
        """Of the broker's final records: equal histories, equal digest."""
        return self.state.digest()


def rehearse(
    jobs: Iterable[Job],
    chips: int,
    policy: str,
    *,
    own: Policy | None = None,
    sink: Sink | None = None,
    nodes_of: int = 1,
    stop_cost: Cost | None = None,
) -> Flat:
    """Run the jobs to their end on `chips` under a policy of `policies`; `own` is what the name `own` means.

    Rows with one id are jobs of their own. Raises NotFoundError for an unknown policy, InputError where the nodes do
    not come to `chips`.
    """
    if nodes_of < 1 or chips % nodes_of:
        message = f"{chips} chips are no whole number of nodes of {nodes_of}"
        raise InputError((Problem(message, f"Give a multiple of {nodes_of} chips."),))
    chosen = named(policy, own)
    given = ordered(jobs)
    fitting = [job for job in given if 0 < job.chips <= chips]
    machine, engine = Machine(), _Engine(nodes_of, stop_cost)
    begins = Instant(BEGINNING + min(0, given[0].submit_seconds if given else 0) * SECOND)
    declared = machine.handle(_declared(chips, nodes_of, chosen, begins)).entries
    if sink is not None:
        sink(declared)
    play = Play(machine, engine, Clock(begins), sink)
    play.run(engine.arrivals(fitting))
    return Flat(
        policy=chosen,
        chips=chips,
        jobs=tuple(given),
        nodes_of=nodes_of,
        rows=tuple(engine.rows()),
        too_large=tuple(job.id for job in given if job.chips > chips),
        facts=len(declared) + play.facts,
        state=machine.state,
    )


def ordered(jobs: Iterable[Job]) -> list[Job]:
    """As they come: of one moment by their numbers."""
    return sorted(jobs, key=lambda job: (job.submit_seconds, _by_number(job.id)))


def digest(jobs: Sequence[Job], chips: int, nodes_of: int, policy: Policy) -> str:
    """A fingerprint of all that decides the outcome."""
    summed = hashlib.blake2b(digest_size=16)
    summed.update(msgspec.json.encode((chips, nodes_of, msgspec.to_builtins(policy, enc_hook=str))))
    for job in jobs:
        summed.update(
            f"{job.id},{job.submit_seconds},{job.run_seconds},{job.chips},{job.requested_seconds}\n".encode()
        )
    return summed.hexdigest()


def _by_number(job_id: str) -> tuple[int, str]:
    try:
        return int(job_id), ""
    except ValueError:
        return 0, job_id


def _declared(chips: int, nodes_of: int, policy: Policy, at: Instant) -> Envelope:
    nodes = chips // nodes_of
    # Nodes are all alike, wherever they are: of those that fit best the first is taken.
    block = nodes if nodes_of > 1 else min(nodes, BLOCK_NODES)
    infrastructure = Infrastructure(
        parties=(Party(id="lab"),),
        providers=(Provider(id="lab", party="lab"),),
        sites=(Site(id="site", jurisdiction="US"),),
        pools=(
            Pool(
                id=POOL,
                provider="lab",
                site="site",
                chip=CHIP,
                tenure="owned",
                chips_per_node=nodes_of,
                block_nodes=block,
                nodes=(DatedCount(nodes=nodes, from_=Instant(0)),),
                engine=EngineRef(kind="local"),
            ),
        ),
    )
    return Envelope("declare", at, Declare(infrastructure, (), policy))


class _Run(msgspec.Struct, gc=False):
    """A job on its way."""

    job: Job
    left_us: int
    """Run time that is still to come."""
    began_us: int = -1
    """When it first began; -1: not yet."""
    since_us: int = 0
    attempt: str = ""
    """The one that runs now."""
    end_us: int = 0


class _Engine:
    """Runs every job for as long as the trace says; what is stopped saves its work and goes on later."""

    def __init__(self, nodes_of: int, stop_cost: Cost | None) -> None:
        self._nodes_of, self._stop_cost = nodes_of, stop_cost
        self._runs: dict[str, _Run] = {}

    def arrivals(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Every job at its moment."""
        node = self._nodes_of
        resources = [(Resources(chip=CHIP, chips_per_node=chips),) for chips in range(1, node + 1)]
        for number, job in enumerate(jobs):
            name = job.id if is_name(job.id) and job.id not in self._runs else f"job-{number}"
            while name in self._runs:
                name = f"{name}-again"
            self._runs[name] = _Run(job, job.run_seconds * SECOND)
            work = Workload(
                name=name,
                alternatives=resources[min(job.chips, node) - 1],
                nodes=-(-job.chips // node),
                time_limit=Duration(job.requested_seconds * SECOND),
                checkpoint=_CHECKPOINT,
            )
            yield Instant(BEGINNING + job.submit_seconds * SECOND), Submit(name, work)

    def answer(self, effect: Effect, now: Instant) -> Iterable[Event]:
        """It starts at once, ends when its time has passed, and stops when it is told to."""
        if isinstance(effect, StartAttempt):
            run = self._runs[effect.workload_id]
            if run.began_us < 0:
                run.began_us = now
            run.since_us, run.attempt = now, effect.attempt
            run.end_us = now + run.left_us
            return ((Instant(run.end_us), Report(effect.attempt, "done")),)
        if isinstance(effect, StopAttempt):
            run = self._runs[effect.attempt.rpartition(".")[0].rpartition(".")[0]]
            run.left_us -= now - run.since_us
            if self._stop_cost is not None:
                run.left_us += self._stop_cost(run.job) * SECOND
            return ((now, Report(effect.attempt, "stopped")),)
        return ()

    def rows(self) -> Iterator[Row]:
        """What became of each job."""
        for run in self._runs.values():
            if run.began_us >= 0:
                job = run.job
                yield Row(
                    job.id,
                    job.submit_seconds,
                    (run.began_us - BEGINNING) // SECOND,
                    (run.end_us - BEGINNING) // SECOND,
                    job.chips,
                    job.run_seconds,
                )
