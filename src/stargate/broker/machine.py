"""The machine: commands in, entries and effects out. One owner, no clock, no I/O.

`handle` decides, applies and reacts; whoever drives it must append the entries to the journal before anybody sees
the reply or an effect. A failed append is fatal: throw the machine away and replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.broker.command import Envelope, Wake
from stargate.broker.decide import QUIET, RECONSIDER, decide, follow_up
from stargate.broker.effect import Effect
from stargate.broker.evolve import evolve
from stargate.broker.fact import Entry, Fact
from stargate.broker.react import SILENT, outstanding, react
from stargate.broker.state import State

SETTLE_LIMIT = 100_000
"""Rounds of follow-up decisions on one command; more is a livelock, and a bug."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
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
        (answer,) = self.handle_all((envelope,))
        if isinstance(answer, UserError):
            raise answer
        return answer

    def handle_all(self, envelopes: Sequence[Envelope]) -> tuple[Outcome | UserError, ...]:
        """Decide and apply commands that came together, then look once at what follows from all of them.

        A refused one is answered with its error, and nothing else is changed by it. What follows from all belongs to
        the last that was taken.
        """
        state = self.state
        # A clock that was set back must not turn history around.
        at = state.clock
        for envelope in envelopes:
            at = max(at, envelope.at)
        promised = state.promised_until()
        turned = promised is not None and promised <= at
        if turned:
            state.derive_committed(at)
        run = _Run(state)
        answers = [run.take(envelope) for envelope in envelopes]
        if run.last is not None:
            state.clock = at
            due = state.pop_due(at) or run.due
            if due or turned or run.woken:
                state.at_rest = None
                run.settle(at, due=due, turned=turned)
            elif not run.quiet:
                run.settle(at, due=False, turned=False)
            while state.pop_due(at):
                # What followed has brought a date that has come already: a lease that begins within its notice.
                state.at_rest = None
                run.settle(at, due=True, turned=False)
        return tuple(
            [
                Outcome(tuple(answer.entries), tuple(answer.effects))
                if isinstance(answer, _Brought)
                else answer
                for answer in answers
            ]
        )

    def apply(self, entry: Entry) -> None:
        """Replay one journalled entry."""
        evolve(self.state, entry)

    def outstanding(self) -> tuple[Effect, ...]:
        """Effects to emit again after a restart."""
        return outstanding(self.state)

    def next_due(self) -> Instant | None:
        """When a Wake is needed at the latest; None: nothing waits for time."""
        return self.state.next_due()


class _Brought(msgspec.Struct, gc=False):
    """What a command has brought about so far."""

    cause: str
    entries: list[Entry] = []
    effects: list[Effect] = []


class _Run(msgspec.Struct, gc=False):
    """Commands of one batch on their way through."""

    state: State
    last: _Brought | None = None
    """Of the last command that was taken: what follows from all is added to it."""
    quiet: bool = True
    """Nothing happened yet that could let anything start, move or be bought."""
    reconsider: bool = False
    woken: bool = False
    due: bool = False

    def take(self, envelope: Envelope) -> Outcome | UserError | _Brought:
        """Decide a command and apply it; the error where it is refused, what is known where it was handled before."""
        state, command = self.state, envelope.command
        seen = state.records.causes.get(envelope.id)
        if seen is not None:
            return Outcome(repeated_seq=seen)
        if isinstance(command, Wake):
            self.woken, self.due = True, self.due or command.due
            self.reconsider = self.reconsider or command.reconsider
            self.last = brought = _Brought(envelope.id)
            return brought
        at = max(state.clock, envelope.at)
        try:
            facts = decide(state, command, at)
        except UserError as error:
            return error
        self.last = brought = _Brought(envelope.id)
        self._apply(facts, brought, at)
        return brought

    def settle(self, at: Instant, *, due: bool, turned: bool) -> None:
        """Follow-ups until nothing follows."""
        assert self.last is not None, "somebody has asked for something"
        self.reconsider = self.reconsider or turned
        for _ in range(SETTLE_LIMIT):
            facts = follow_up(self.state, at, due_dates=due, reconsider=self.reconsider)
            if facts == ():
                self.state.due_pools.clear()
                return
            self._apply(facts, self.last, at)
        raise AssertionError(f"command {self.last.cause} does not settle")

    def _apply(self, facts: Iterable[Fact], brought: _Brought, at: Instant) -> None:
        state, cause, entries = self.state, brought.cause, brought.entries
        records = state.records
        for fact in facts:
            entry = Entry(records.seq + 1, at, cause, fact)
            evolve(state, entry)
            entries.append(entry)
            kind = type(fact)
            if kind not in SILENT:
                brought.effects += react(state, entry)
            if kind not in QUIET:
                self.quiet = False
            if kind in RECONSIDER:
                self.reconsider = True
