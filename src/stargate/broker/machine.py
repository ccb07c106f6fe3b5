"""The machine: commands in, entries and effects out. One owner, no clock, no I/O.

`handle` decides, applies and reacts; whoever drives it must append the entries to the journal before anybody sees
the reply or an effect. A failed append is fatal: throw the machine away and replay.
"""

from __future__ import annotations

from dataclasses import dataclass

from stargate.base.time import Instant
from stargate.broker.command import Command, Envelope, Wake
from stargate.broker.decide import QUIET, RECONSIDER, decide
from stargate.broker.effect import Effect
from stargate.broker.evolve import evolve
from stargate.broker.fact import Entry
from stargate.broker.react import outstanding, react
from stargate.broker.state import State

SETTLE_LIMIT = 100_000
"""Rounds of follow-up decisions on one command; more is a livelock, and a bug."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command brought about."""

    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()
    repeated_seq: int = 0
    """Not 0: the command had been handled before; this was its last entry."""


class Machine:
    """Owns a State."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state if state is not None else State()

    def handle(self, envelope: Envelope) -> Outcome:
        """Decide and apply one command. Raises UserError and changes nothing if it is refused.

        A command id that already caused facts is answered, not repeated.
        """
        seen = self.state.records.causes.get(envelope.id)
        if seen is not None:
            return Outcome(repeated_seq=seen)
        state, command = self.state, envelope.command
        # A clock that was set back must not turn history around.
        at = Instant(max(envelope.at, state.clock))
        promised = state.promised_until()
        turned = promised is not None and promised <= at
        if turned:
            state.derive_committed(at)
        run = _Run(state, envelope.id, at)
        wake = command if isinstance(command, Wake) else None
        if wake is None:
            run.apply(command)
        state.clock = at
        due = state.pop_due(at) or (wake is not None and wake.due)
        if due or turned or wake is not None:
            state.at_rest = None
        if due or turned or wake is not None or not run.quiet:
            run.settle(due=due, reconsider=turned or (wake is not None and wake.reconsider))
        return Outcome(tuple(run.entries), tuple(run.effects))

    def apply(self, entry: Entry) -> None:
        """Replay one journalled entry."""
        evolve(self.state, entry)

    def outstanding(self) -> tuple[Effect, ...]:
        """Effects to emit again after a restart."""
        return outstanding(self.state)

    def next_due(self) -> Instant | None:
        """When a Wake is needed at the latest; None: nothing waits for time."""
        return self.state.next_due()


class _Run:
    """One command on its way through."""

    def __init__(self, state: State, cause: str, at: Instant) -> None:
        self._state = state
        self._cause = cause
        self._at = at
        self.entries: list[Entry] = []
        self.effects: list[Effect] = []
        self.quiet = True
        """Nothing happened yet that could let anything start, move or be bought."""
        self._reconsider = False

    def apply(self, command: Command) -> bool:
        facts = decide(self._state, command, self._at)
        for fact in facts:
            entry = Entry(self._state.records.seq + 1, self._at, self._cause, fact)
            evolve(self._state, entry)
            self.entries.append(entry)
            self.effects.extend(react(self._state, entry))
            self.quiet = self.quiet and type(fact) in QUIET
            self._reconsider = self._reconsider or type(fact) in RECONSIDER
        return bool(facts)

    def settle(self, *, due: bool, reconsider: bool) -> None:
        """Follow-ups until nothing follows."""
        self._reconsider = self._reconsider or reconsider
        for _ in range(SETTLE_LIMIT):
            if not self.apply(Wake(due=due, reconsider=self._reconsider)):
                self._state.due_pools.clear()
                return
        raise AssertionError(f"command {self._cause} does not settle")
