"""From a plan to a play that is ready to run: machine, clock and world, with everything set that will happen."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import blake2b

import msgspec

from stargate.agreements import Agreement
from stargate.base.errors import InputError
from stargate.base.time import FOREVER, Instant
from stargate.broker import Effect, Entry, Envelope, Machine, StartAttempt
from stargate.broker.command import Cancel, Declare, DeclareFact, Submit
from stargate.broker.policy import Policy
from stargate.catalog import Infrastructure
from stargate.catalog.pool import EngineRef
from stargate.journal import SqliteReader, restart
from stargate.rehearsal import changes as what_if
from stargate.rehearsal import faults as trouble
from stargate.rehearsal.clock import Clock, Event
from stargate.rehearsal.demand import Shaper, Source, Submission, submissions
from stargate.rehearsal.play import Play, Sink
from stargate.rehearsal.policies import named
from stargate.rehearsal.scenario import Declared, Plan, end_of, journal_file
from stargate.rehearsal.schedule import Row
from stargate.rehearsal.traces import Job, open_trace
from stargate.rehearsal.traces.demand import generated
from stargate.rehearsal.traces.transform import transformed
from stargate.rehearsal.world.behaviour import Behaviour
from stargate.rehearsal.world.engines import Engines
from stargate.rehearsal.world.parties import Parties
from stargate.rehearsal.world.task import Task
from stargate.rehearsal.world.traffic import scalings
from stargate.rehearsal.world.world import World
from stargate.workloads import Workload

SIMULATED = EngineRef(kind="local")
"""In a rehearsal every pool can start work: its engine is the model."""


class Stage:
    """A rehearsal about to run, running, or over."""

    def __init__(self, plan: Plan, seed: int, play: Play, world: World, start: Instant) -> None:
        """Made by `stage`."""
        self.plan = plan
        self.seed = seed
        self.play = play
        self.world = world
        self.start = start
        self.until = end_of(plan.scenario, start)
        self.arrivals: Iterator[Event] = iter(())
        """What will be submitted and scaled, in order."""

    def run(self) -> None:
        """Let all of it happen."""
        self.play.run(self.arrivals, self.until)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every gang whose work is complete; seconds from the start."""
        return tuple(self.world.engines.rows(self.start))

    @cached_property
    def input_digest(self) -> str:
        """Of everything that decides the outcome."""
        return input_digest(self.plan.digest, self.seed)

    @property
    def state_digest(self) -> str:
        """Of the broker's records as they are now."""
        return self.play.machine.state.digest()


def input_digest(plan_digest: str, seed: int) -> str:
    """Of a plan and a seed: equal inputs, equal digest."""
    return blake2b(f"{plan_digest}/{seed}".encode(), digest_size=16).hexdigest()


def stage(plan: Plan, seed: int | None = None, sink: Sink | None = None) -> Stage:
    """Everything made ready; nothing has happened yet but the declaration.

    `sink` gets the entries as a journal would. Raises InputError for names that lead nowhere, JournalError for a
    journal that cannot be read.
    """
    scenario = plan.scenario
    seed = scenario.seed if seed is None else seed
    machine = _machine(plan)
    records = machine.state.records
    start = max(records.at, scenario.start or records.at)
    until = end_of(scenario, start)
    declared = plan.declared or Declared(None, None, (), None)
    infrastructure = records.infrastructure if declared.infrastructure is None else declared.infrastructure
    agreements = records.agreements if declared.agreements is None else declared.agreements
    policy = named(scenario.policy_named, declared.policy or records.policy)
    wrong = what_if.problems(scenario.changes, infrastructure, agreements)
    wrong += trouble.problems(scenario.faults, infrastructure)
    if wrong:
        raise InputError(plan.placed(wrong))
    infrastructure = _simulated(what_if.changed(infrastructure, scenario.changes, start))
    counted = {pool: records.nodes[pool] for pool in records.counted}
    expansion = trouble.expand(scenario.faults, infrastructure, start, until, seed, counted)
    clock = Clock(start)
    engines = Engines(
        _behaviours(expansion.infrastructure, scenario.engines), clock, seed, policy.expected_run
    )
    world = World(engines, Parties(scenario.parties, machine.state, seed), clock)
    play = Play(machine, world, clock, _both(world, sink))
    staged = Stage(plan, seed, play, world, start)
    going_on = machine.outstanding()
    books = _books(plan, expansion.infrastructure, agreements, policy, start)
    for at, command in (*books[1:], *_facts(plan, start), *expansion.events):
        clock.set(at, command)
    _open(staged, books[0][1], going_on, _both(world, sink))
    staged.arrivals = _arrivals(plan, expansion.infrastructure, engines, start, until)
    return staged


def _machine(plan: Plan) -> Machine:
    path = plan.scenario.from_journal
    if not path:
        return Machine()
    with SqliteReader(journal_file(plan.folder / path)) as reader:
        return restart(reader).state


def _simulated(infrastructure: Infrastructure) -> Infrastructure:
    pools = tuple(
        msgspec.structs.replace(pool, engine=SIMULATED) if pool.engine.kind == "none" else pool
        for pool in infrastructure.pools
    )
    return msgspec.structs.replace(infrastructure, pools=pools)


def _behaviours(
    infrastructure: Infrastructure, given: tuple[Behaviour, ...]
) -> dict[str, tuple[Behaviour, str]]:
    usual = Behaviour()
    return {
        pool.id: (next((one for one in given if one.fits(pool)), usual), pool.chip)
        for pool in infrastructure.pools
    }


def _both(world: World, sink: Sink | None) -> Sink:
    if sink is None:
        return world.see
    told = sink

    def tell(entries: tuple[Entry, ...]) -> None:
        told(entries)
        world.see(entries)

    return tell


def _books(
    plan: Plan,
    infrastructure: Infrastructure,
    agreements: tuple[Agreement, ...],
    policy: Policy,
    start: Instant,
) -> list[tuple[Instant, Declare]]:
    """The declaration at the start, and again whenever the book changes."""
    dated: dict[Instant, list[int]] = {start: []}
    for place, change in enumerate(plan.scenario.changes):
        if isinstance(change, what_if.Sign | what_if.End):
            dated.setdefault(max(start, change.at or start), []).append(place)
    book = {agreement.id: agreement for agreement in agreements}
    found = []
    for at in sorted(dated):
        for place in dated[at]:
            change = plan.scenario.changes[place]
            if isinstance(change, what_if.End):
                for id in change.agreements:
                    book.pop(id, None)
            else:
                book |= {agreement.id: agreement for agreement in plan.signed[place]}
        found.append((at, Declare(infrastructure, tuple(book.values()), policy)))
    return found


def _facts(plan: Plan, start: Instant) -> Iterator[Event]:
    """Facts beside the agreements, each when it was put on record; and those that become known on the way."""
    declared = plan.declared
    for fact in () if declared is None else declared.facts:
        yield max(start, fact.recorded_at), DeclareFact(fact)
    for change in plan.scenario.changes:
        if isinstance(change, what_if.Learn):
            yield max(start, change.at or start), DeclareFact(change.fact)


def _open(staged: Stage, declare: Declare, going_on: tuple[Effect, ...], tell: Sink) -> None:
    """Declare, and let what ran before go on."""
    play, world, start = staged.play, staged.world, staged.start
    state = play.machine.state
    said = f"rehearsal-{state.records.seq}"
    for effect in going_on:
        if (
            isinstance(effect, StartAttempt)
            and (attempt := state.live[effect.attempt]).started_at is not None
        ):
            answers = world.engines.adopt(effect, attempt.started_at, attempt.expected_end, start)
        else:
            answers = world.answer(effect, start)
        for at, command in answers:
            play.clock.set(at, command)
    outcome = play.machine.handle(Envelope(said, start, declare))
    if outcome.entries:
        tell(outcome.entries)
    for effect in outcome.effects:
        for at, command in world.answer(effect, start):
            play.clock.set(at, command)


def _arrivals(
    plan: Plan, infrastructure: Infrastructure, engines: Engines, start: Instant, until: Instant
) -> Iterator[Event]:
    """All that is submitted, in order of time."""
    streams: list[Iterable[Event]] = [
        submissions(source, _jobs(plan, source), Shaper(infrastructure, source.form), engines, start)
        for source in plan.scenario.demand
    ]
    for given, workload in zip(plan.scenario.workloads, plan.workloads, strict=True):
        streams.append(_submitted(plan, given, workload, engines, start, until))
    return heapq.merge(*streams, key=lambda event: event[0])


def _jobs(plan: Plan, source: Source) -> Iterator[Job]:
    if source.generate is not None:
        jobs: Iterable[Job] = generated(source.generate)
    elif source.trace:
        jobs = open_trace(plan.folder / source.trace, form=source.format).jobs()
    else:
        jobs = sorted(source.jobs, key=lambda job: job.submit_seconds)
    return transformed(jobs, source.transform)


def _submitted(
    plan: Plan, given: Submission, workload: Workload, engines: Engines, start: Instant, until: Instant
) -> Iterator[Event]:
    at = start.plus(given.after)
    name = given.name or workload.name
    if given.runs_for is not None:
        engines.expect(name, Task(name, given.runs_for, submit_us=at))
    yield at, Submit(name, msgspec.structs.replace(workload, name=name), "rehearsal")
    end = FOREVER if given.cancelled_after is None else at.plus(given.cancelled_after)
    if given.traffic is not None:
        path = given.traffic.requests
        requests = open_trace(plan.folder / path).requests() if path else iter(())
        yield from scalings(given.traffic, name, at, min(until, end), requests)
    if end < FOREVER:
        yield end, Cancel(name, "rehearsal")
