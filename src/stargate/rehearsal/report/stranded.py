"""Free chips that the first in line cannot have: what is free in the pools that may serve it, while it waits."""

from __future__ import annotations

from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.ask import ask_of
from stargate.broker.place import place
from stargate.broker.quota import over_quota
from stargate.broker.state import Waiting

LOOK_DEPTH = 32
"""Places from the front of the queue that are looked at for one who may go."""


class Stranded:
    """Looks at a state. It remembers which pools the first in line may run in until something about supply changes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: tuple[Waiting, int, int] | None = None
        self._pools: tuple[str, ...] = ()
        self._gang = 0

    def look(self, at: Instant, changes: int) -> tuple[int, int]:
        """Chips that are free where the first in line may run, while it has no place.

        The second number is the same where that is at least its gang, else 0. `changes`: of supply, so far.
        """
        head = self._head(at)
        if head is None:
            return 0, 0
        key = (head, changes, self._state.market_seq)
        if key != self._known:
            self._known = key
            self._survey(head, at)
        if not self._pools:
            return 0, 0
        nodes = self._state.nodes
        free = sum([nodes[pool].free_chips for pool in self._pools])
        return free, free if free >= self._gang else 0

    def _head(self, at: Instant) -> Waiting | None:
        """Who is first in line of those that may start now and are not held back by a quota."""
        state = self._state
        for waiting in state.queue[:LOOK_DEPTH]:
            holder, slot = state.slot(waiting)
            if slot.not_before > at or holder.status != "active":
                continue
            ask = ask_of(state, holder, slot)
            if over_quota(state, holder.workload.team, min(option.gang_chips for option in ask.options)):
                continue
            return waiting
        return None

    def _survey(self, head: Waiting, at: Instant) -> None:
        state = self._state
        ask = ask_of(state, *state.slot(head))
        survey = place(state, ask, at)
        if survey.choice is not None:
            # It is about to start: this moment lies within a batch.
            self._known, self._pools = None, ()
            return
        self._pools = tuple(sorted({supply.pool for _, supply in survey.busy}))
        self._gang = min((option.gang_chips for option, _ in survey.busy), default=0)
