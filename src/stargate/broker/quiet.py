"""Who waits for room and nothing else: without room they need not be asked again.

Gangs of one kind go through one *door*: who lets them in, and how their nodes must be. Within a pass room only shrinks,
so where one gang has none, those as large that go through the same door have none either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stargate.broker.filters import may_carry
from stargate.broker.place import let_in

if TYPE_CHECKING:
    from stargate.base.time import Instant
    from stargate.broker.permits import Door
    from stargate.broker.reserve import Reservation
    from stargate.broker.state import State

ANY_SIZE = 1 << 62


class Quiet(NamedTuple):
    """A slot that waits for room and nothing else."""

    epoch: int
    """As long as who is let in where is what it was then."""
    door: Door
    nodes: int
    gang_chips: int
    run_us: int
    provider: str
    """One that would let it in."""


class Shut:
    """What one pass has found to have no room, beside the room that is kept for the first in line and in its pool."""

    def __init__(self, state: State, kept: Reservation, at: Instant) -> None:
        self._state, self._kept, self._at = state, kept, at
        self._until_us = kept.starts - at
        self._beside: dict[Door, int] = {}
        """The fewest nodes that were too many."""
        self._inside: dict[Door, int] = {}

    def is_hopeless(self, quiet: Quiet) -> bool:
        """Whether there is certainly no room for it. If so, a provider would carry it, had it room."""
        state, kept = self._state, self._kept
        if quiet.epoch != state.permits.epoch(state, self._at):
            return False
        door, nodes = quiet.door, quiet.nodes
        if nodes < self._beside.get(door, ANY_SIZE):
            if self._has_room_beside(quiet):
                return False
            self._beside[door] = nodes
        if nodes < self._inside.get(door, ANY_SIZE) and (
            quiet.run_us <= self._until_us or quiet.gang_chips <= kept.spare_chips
        ):
            if self._may_take(kept.supply.pool, quiet):
                return False
            self._inside[door] = nodes
        return may_carry(state, quiet.provider, quiet.gang_chips)

    def _has_room_beside(self, quiet: Quiet) -> bool:
        by_chip, pool = self._state.supplies.by_chip, self._kept.supply.pool
        return any(
            supply.pool != pool and self._may_take(supply.pool, quiet)
            for chip, permit in quiet.door.permits
            if not permit.all_refused
            for supply in let_in(by_chip[chip], permit, quiet.gang_chips)
        )

    def _may_take(self, pool: str, quiet: Quiet) -> bool:
        state, door = self._state, quiet.door
        return state.nodes[pool].fits(quiet.nodes, door.chips_per_node, door.topology) and may_carry(
            state, state.catalog_pools[pool].provider, quiet.gang_chips
        )
