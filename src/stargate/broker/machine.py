"""The machine: commands in, entries and effects out. One owner, no clock, no I/O.

`handle` decides, applies and reacts; whoever drives it must append the entries to the journal before anybody sees
the reply or an effect. A failed append is fatal: throw the machine away and replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.broker.command import Command, Envelope, Wake
from stargate.broker.decide import QUIET, RECONSIDER, decide, follow_up
from stargate.broker.effect import Effect
from stargate.broker.evolve import evolve
from stargate.broker.fact import Entry, Fact
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
        at = Instant(max(state.clock, *(envelope.at for envelope in envelopes)))
        promised = state.promised_until()
        turned = promised is not None and promised <= at
        if turned:
            state.derive_committed(at)
        answers = [self._take(envelope) for envelope in envelopes]
        taken = [answer for answer in answers if isinstance(answer, _Run)]
        if taken:
            state.clock = at
            woken = any(run.woken for run in taken)
            due = state.pop_due(at) or any(run.due for run in taken)
            if due or turned or woken:
                state.at_rest = None
            if due or turned or woken or not all(run.quiet for run in taken):
                reconsider = turned or any(run.reconsider for run in taken)
                taken[-1].settle(at, due=due, reconsider=reconsider)
        return tuple(answer.outcome() if isinstance(answer, _Run) else answer for answer in answers)

    def _take(self, envelope: Envelope) -> _Run | Outcome | UserError:
        state = self.state
        seen = state.records.causes.get(envelope.id)
        if seen is not None:
            return Outcome(repeated_seq=seen)
        run = _Run(state, envelope.id, Instant(max(envelope.at, state.clock)))
        try:
            run.take(envelope.command)
        except UserError as error:
            return error
        return run

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

    __slots__ = ("_at", "_cause", "_effects", "_entries", "_state", "due", "quiet", "reconsider", "woken")

    def __init__(self, state: State, cause: str, at: Instant) -> None:
        self._state = state
        self._cause = cause
        self._at = at
        self._entries: list[Entry] = []
        self._effects: list[Effect] = []
        self.quiet = True
        """Nothing happened yet that could let anything start, move or be bought."""
        self.reconsider = False
        self.woken = False
        self.due = False

    def take(self, command: Command) -> None:
        """Decide and apply it. Raises UserError before anything is changed."""
        if isinstance(command, Wake):
            self.woken, self.due, self.reconsider = True, command.due, command.reconsider
        else:
            self._apply(decide(self._state, command, self._at))

    def settle(self, at: Instant, *, due: bool, reconsider: bool) -> None:
        """Follow-ups until nothing follows."""
        self._at, self.reconsider = at, reconsider
        for _ in range(SETTLE_LIMIT):
            if not self._apply(follow_up(self._state, at, due_dates=due, reconsider=self.reconsider)):
                self._state.due_pools.clear()
                return
        raise AssertionError(f"command {self._cause} does not settle")

    def outcome(self) -> Outcome:
        """What it has brought about."""
        return Outcome(tuple(self._entries), tuple(self._effects))

    def _apply(self, facts: Iterable[Fact]) -> bool:
        before = len(self._entries)
        for fact in facts:
            entry = Entry(self._state.records.seq + 1, self._at, self._cause, fact)
            evolve(self._state, entry)
            self._entries.append(entry)
            self._effects.extend(react(self._state, entry))
            self.quiet = self.quiet and type(fact) in QUIET
            self.reconsider = self.reconsider or type(fact) in RECONSIDER
        return len(self._entries) > before
