"""The smallest server: commands go through the machine and the journal to the engine, on a scripted clock.

It keeps the driver's order: decide and apply, commit, effects, acknowledge. `World` is all that outlives a crash.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from stargate.base.errors import UserError
from stargate.base.time import Duration, Instant
from stargate.broker import Command, Envelope, Machine
from stargate.broker.command import Wake
from stargate.broker.sourcing.records import Offer
from stargate.journal import restart, snapshot_of, to_record
from tests.crash.engine import Said, ScriptedEngine
from tests.crash.faulty import FaultyJournal

ANSWER_AFTER = Duration.parse("40s")
"""How long the holder of a right thinks."""

STEPS_LIMIT = 20_000

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
    effects: int = 0

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


def serve(world: World, journal: FaultyJournal, snapshot_every: int = 0) -> Machine:
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
            _handle(world, journal, machine, Envelope(f"wake-{at}-{machine.state.records.seq}", at, Wake()))
        elif world.inbox and world.inbox[0].at <= at:
            first = world.inbox[0]
            world.outcomes[first.id] = _handle(world, journal, machine, Envelope(first.id, at, first.command))
            world.inbox.remove(first)
            heapq.heapify(world.inbox)
        if snapshot_every and journal.writes % snapshot_every == snapshot_every - 1:
            journal.save(*snapshot_of(machine))
    raise AssertionError("the story does not end")


def _handle(world: World, journal: FaultyJournal, machine: Machine, envelope: Envelope) -> str:
    try:
        outcome = machine.handle(envelope)
    except UserError as error:
        return f"refused: {error}"
    if outcome.entries:
        journal.append([to_record(entry) for entry in outcome.entries])
    for effect in outcome.effects:
        world.report(world.engine.ask(effect, world.now))
        world.effects += 1
        journal.effect()
    if outcome.entries:
        journal.acknowledging()
    return "done"
