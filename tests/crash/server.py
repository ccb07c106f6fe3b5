"""The smallest server: commands go through the machine and the journal to the engine, on a scripted clock.

It keeps the driver's order: decide and apply, commit, effects, acknowledge. `World` is all that outlives a crash.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from stargate.base.errors import UserError
from stargate.base.time import Duration, Instant
from stargate.broker import Command, Effect, Entry, Envelope, Machine
from stargate.broker.command import Wake
from stargate.broker.sourcing.records import Offer
from stargate.journal import restart, snapshot_of, to_record
from tests.crash.engine import Said, ScriptedEngine
from tests.crash.faulty import FaultyJournal

ANSWER_AFTER = Duration.parse("40s")
"""How long the holder of a right thinks."""

STEPS_LIMIT = 20_000
WRITE_TAKES = Duration.parse("3s")
"""What comes in meanwhile is committed together."""

Holder = Callable[[int, Offer], Command | None]
"""How a holder answers the n-th offer; None: not at all."""


class Event(NamedTuple):
    """Something that befalls a provider, and that the server hears of by commands only."""

    at: Instant
    what: Literal["dies", "unreachable", "reachable"]
    provider: str


class Waiting(NamedTuple):
    """A command that was not acknowledged yet: whoever sent it will send it again, under the same id."""

    at: Instant
    id: str
    command: Command


@dataclass
class World:
    """The outside: what people send, what engines run and report, how holders answer, and the time."""

    engine: ScriptedEngine
    holder: Holder
    begins: Instant
    ends: Instant
    events: list[Event]
    inbox: list[Waiting] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    outcomes: dict[str, str] = field(default_factory=dict)
    """What each sender was told."""

    def __post_init__(self) -> None:
        self.now = self.begins

    def send(self, at: Instant, id: str, command: Command) -> None:
        """Put a command under way."""
        if not any((waiting.at, waiting.id) == (at, id) for waiting in self.inbox):
            heapq.heappush(self.inbox, Waiting(at, id, command))

    def report(self, said: list[Said]) -> None:
        """Put engines' reports under way. What is said again comes under another id, and after the original."""
        for one in said:
            report = one.report
            again = "said-again-" if one.again else ""
            self.send(one.at, f"{again}report-{report.attempt}-{report.phase}-{report.step}", report)

    def happen(self) -> None:
        """What befalls providers and programs by now."""
        while self.events and self.events[0].at <= self.now:
            event = self.events.pop(0)
            if event.what == "dies":
                self.engine.lose(event.provider)
            elif event.what == "unreachable":
                self.engine.unreachable.add(event.provider)
            else:
                self.report(self.engine.heal(event.provider, self.now))
        self.report(self.engine.due(self.now))

    def read_offers(self, machine: Machine) -> None:
        """Holders look up what they are offered, as providers do with `stargate offers`."""
        for number, offer in enumerate(machine.state.sourcing.offers.values()):
            if offer.status == "offered" and offer.id not in self.answered:
                self.answered.add(offer.id)
                command = self.holder(number, offer)
                if command is not None:
                    self.send(offer.offered_at.plus(ANSWER_AFTER), f"answer-{offer.id}", command)

    def next(self, wake: Instant | None) -> Instant | None:
        """The time of the next thing to happen; None when the story is over."""
        times = [self.engine.next_due(), wake]
        times += [self.inbox[0].at] if self.inbox else []
        times += [self.events[0].at] if self.events else []
        return min((max(at, self.now) for at in times if at is not None and at <= self.ends), default=None)


def serve(world: World, journal: FaultyJournal, snapshot_every: int = 0, batch: int = 1) -> Machine:
    """Start from the journal and go on to the end of the story. Raises SimulatedCrash where the journal says so."""
    found = restart(journal)
    assert not found.warnings, found.warnings
    machine = found.state
    for effect in machine.outstanding():
        world.report(world.engine.ask(effect, world.now))
    for _ in range(STEPS_LIMIT):
        world.read_offers(machine)
        due = machine.next_due()
        at = world.next(due)
        if at is None:
            return machine
        world.now = at
        world.happen()
        if due is not None and due <= at:  # the timer wins a tie
            wake = Waiting(at, f"wake-{at}-{machine.state.records.seq}", Wake())
            _handle(world, journal, machine, iter([wake]))
        else:
            _handle(world, journal, machine, _ready(world, machine, batch))
        if snapshot_every and journal.writes % snapshot_every == snapshot_every - 1:
            journal.save(*snapshot_of(machine))
    raise AssertionError("the story does not end")


def _ready(world: World, machine: Machine, batch: int) -> Iterator[Waiting]:
    """The next command, and those that come in while it is being written: up to `batch`, in order."""
    waiting = sorted(world.inbox)[:batch]
    if not waiting or waiting[0].at > world.now:
        return
    yield waiting[0]
    for command in waiting[1:]:
        others = (machine.next_due(), world.engine.next_due(), world.events[0].at if world.events else None)
        first = all(at is None or command.at < at for at in others)
        if not first or command.at > waiting[0].at.plus(WRITE_TAKES):
            return
        yield command


def _handle(world: World, journal: FaultyJournal, machine: Machine, commands: Iterator[Waiting]) -> None:
    """Decide and apply each; commit all at once; then effects; then acknowledge."""
    told: dict[str, str] = {}
    entries: list[Entry] = []
    effects: list[Effect] = []
    for waiting in commands:
        world.now = max(world.now, waiting.at)
        try:
            outcome = machine.handle(Envelope(waiting.id, waiting.at, waiting.command))
        except UserError as error:
            told[waiting.id] = f"refused: {error}"
            continue
        told[waiting.id] = "done"
        entries += outcome.entries
        effects += outcome.effects
    if entries:
        journal.append([to_record(entry) for entry in entries])
    for effect in effects:
        world.report(world.engine.ask(effect, world.now))
        journal.effect()
    if entries:
        journal.acknowledging()
    world.outcomes |= told
    world.inbox = [waiting for waiting in world.inbox if waiting.id not in told]
    heapq.heapify(world.inbox)
