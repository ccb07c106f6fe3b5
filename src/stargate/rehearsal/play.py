"""The driver of a rehearsal: the broker's own machine, a clock of events, and models that answer its effects.

    arrivals, faults ─► clock ─► machine.handle_all(one instant) ─► entries to the journal ─► effects to the model
                          ▲                                                                        │
                          └────────────────── reports, each at its moment ─────────────────────────┘

All that is said at one instant is one batch, and the queue is looked at once for it: what ends makes room before what
arrives asks for it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from stargate.base.errors import UserError
from stargate.base.time import FOREVER, Instant
from stargate.broker import Effect, Entry, Envelope, Machine
from stargate.broker.command import Command, Wake
from stargate.rehearsal.clock import Clock, Event

Sink = Callable[[tuple[Entry, ...]], object]
"""Where entries go before anybody acts on them: a journal, or nowhere."""


NOBODY: Event = (FOREVER, Wake())
"""The arrival after the last."""

PATIENCE = (100_000, 50, 50)
"""Python's thresholds of collection while a rehearsal runs: it makes many records and no cycles of them."""


@contextmanager
def patient_collector() -> Iterator[None]:
    """Python looks for cycles of garbage less often in this block."""
    before = gc.get_threshold()
    gc.set_threshold(*PATIENCE)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Model(Protocol):
    """What the world does about the machine's effects."""

    def answer(self, effect: Effect, now: Instant) -> Iterable[Event]:
        """What will be reported of it, and when. May be asked the same twice: effects are repeated after a crash."""


class Play:
    """One machine under one clock."""

    def __init__(self, machine: Machine, model: Model, clock: Clock, sink: Sink | None = None) -> None:
        self.machine = machine
        self.clock = clock
        self._model = model
        self._sink = sink
        self._said = 0
        self._named = f"r{machine.state.records.seq}."
        """What ids of commands begin with. A former play that began at this entry, too, has added none: none of its
        commands is remembered."""
        self.facts = 0
        self.refused: list[tuple[Instant, Command, UserError]] = []
        """What the machine would not have, in order."""

    def run(self, arrivals: Iterable[Event] = (), until: Instant = FOREVER) -> None:
        """Let time pass until nothing more comes, or to `until`. `arrivals` are in order of time."""
        with patient_collector():
            self._run(arrivals, until)

    def _run(self, arrivals: Iterable[Event], until: Instant) -> None:
        coming = iter(arrivals)
        arrival = next(coming, NOBODY)
        clock = self.clock
        due = self.machine.next_due() or FOREVER
        while True:
            at = max(min(clock.next(), due, arrival[0]), clock.now)
            if at >= FOREVER or at > until:
                return
            commands = clock.pop(at)
            while arrival[0] <= at:
                commands.append(arrival[1])
                arrival = next(coming, NOBODY)
            if due <= at:
                commands.append(Wake())
            self._say(at, commands)
            due = self.machine.next_due() or FOREVER
            assert due > at, f"something is due at {due} and does not come about"

    def _say(self, at: Instant, commands: list[Command]) -> None:
        named, said = self._named, self._said + 1
        self._said += len(commands)
        answers = self.machine.handle_all(
            [Envelope(f"{named}{number}", at, command) for number, command in enumerate(commands, said)]
        )
        for place, answer in enumerate(answers):
            if isinstance(answer, UserError):
                self.refused.append((at, commands[place], answer))
                continue
            entries = answer.entries
            self.facts += len(entries)
            if entries and self._sink is not None:
                self._sink(entries)
            for effect in answer.effects:
                for moment, command in self._model.answer(effect, at):
                    self.clock.set(moment, command)
