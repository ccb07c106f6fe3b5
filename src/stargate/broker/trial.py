"""What-if: change the indexes, look, and put everything back. No copies."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from stargate.broker.records import AttemptState

if TYPE_CHECKING:
    from stargate.broker.fact import Placed
    from stargate.broker.state import State


class Trial:
    """Gangs placed here hold their nodes until the block ends, then it is as if they had never been."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._taken: list[AttemptState] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for attempt in reversed(self._taken):
            self._state.vacate(attempt)

    def occupy(self, placed: Placed) -> None:
        """As if `placed` had happened."""
        attempt = attempt_from(placed, self._state, seq=0)
        self._state.occupy(attempt)
        self._taken.append(attempt)


def attempt_from(placed: Placed, state: State, seq: int) -> AttemptState:
    """The record of an attempt that a fact brings into being."""
    return AttemptState(
        id=placed.attempt,
        workload=placed.workload,
        slot=placed.slot,
        number=placed.number,
        supply=placed.supply,
        pool=placed.pool,
        provider=placed.provider,
        nodes=placed.nodes,
        chips_per_node=placed.chips_per_node,
        price_micro_usd_per_chip_hour=placed.price_micro_usd_per_chip_hour,
        placed_at=state.records.at,
        placed_seq=seq,
        expected_end=placed.expected_end,
    )
