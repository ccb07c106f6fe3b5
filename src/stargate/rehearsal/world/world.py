"""Everything around the broker as one model: it answers effects, and it sees what the broker put on record."""

from __future__ import annotations

from collections.abc import Iterable

from stargate.base.time import Instant
from stargate.broker import Effect, Entry, Notify, StartAttempt, StopAttempt
from stargate.broker.fact import Checkpointed, Ended, Started
from stargate.broker.sourcing.fact import MarketOpened
from stargate.rehearsal.clock import Clock, Event
from stargate.rehearsal.world.engines import Engines
from stargate.rehearsal.world.parties import Parties


class World:
    """Engines and parties. Give `see` to the play as (part of) its sink."""

    def __init__(self, engines: Engines, parties: Parties, clock: Clock) -> None:
        self.engines = engines
        self.parties = parties
        self._clock = clock
        self.entries = 0
        """Seen so far."""

    def answer(self, effect: Effect, now: Instant) -> Iterable[Event]:
        """What will be reported or answered, and when."""
        if isinstance(effect, StartAttempt):
            return self.engines.start(effect, now)
        if isinstance(effect, StopAttempt):
            return self.engines.stop(effect, now)
        if isinstance(effect, Notify):
            return self.parties.hear(effect, now)
        return self.engines.checkpoint(effect, now)

    def see(self, entries: tuple[Entry, ...]) -> None:
        """The broker decided this."""
        self.entries += len(entries)
        engines = self.engines
        for entry in entries:
            fact = entry.fact
            kind = type(fact)
            if kind is Ended:
                engines.ended(fact, entry.at)  # type: ignore[arg-type]  # as its kind says
            elif kind is Started:
                self._set(engines.started(fact, entry.at))  # type: ignore[arg-type]  # as above
            elif kind is Checkpointed:
                self._set(engines.saved(fact, entry.at))  # type: ignore[arg-type]  # as above
            elif kind is MarketOpened:
                self._set(self.parties.bid(fact, entry.at))  # type: ignore[arg-type]  # as above

    def _set(self, events: Iterable[Event]) -> None:
        for at, command in events:
            self._clock.set(at, command)
