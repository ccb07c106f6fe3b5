"""EASY backfill: when and where the first blocked slot can start, and what may run until then without delaying it.

Source: D. Lifka, "The ANL/IBM SP scheduling system", 1995. Only the first blocked slot holds a reservation; work
behind it may start now if it ends before that, or uses nodes that the reservation leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stargate.base.time import Instant
from stargate.broker.filters import Reservation

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.state import State
    from stargate.broker.supply import Supply


def reserve(
    state: State,
    ask: Ask,
    busy: list[tuple[Option, Supply]],
    at: Instant,
    stopping: frozenset[str] = frozenset(),
) -> Reservation | None:
    """The earliest start over the offers that could serve; None if the ends known today never suffice."""
    best: Reservation | None = None
    for option, supply in busy:
        found = earliest(state, ask, option, supply, at, stopping)
        if found is not None and (best is None or found.starts < best.starts):
            best = found
    return best


def earliest(
    state: State,
    ask: Ask,
    option: Option,
    supply: Supply,
    at: Instant,
    stopping: frozenset[str] = frozenset(),
) -> Reservation | None:
    """When enough nodes of one supply come free, by the expected ends of what runs there.

    An attempt past its expected end, or one that was asked to stop, counts as ending now.
    """
    running = state.live_on.get(supply.pool, {})
    ends = sorted(
        (
            at if attempt.status == "stopping" or attempt.id in stopping else max(at, attempt.expected_end),
            attempt.id,
        )
        for attempt in running.values()
    )
    nodes = state.nodes[supply.pool]
    count, chips = ask.workload.nodes, option.chips_per_node
    given: list[str] = []
    spare = supply.spare
    try:
        for end, attempt_id in ends:
            attempt = running[attempt_id]
            nodes.give(attempt.nodes, attempt.chips_per_node)
            given.append(attempt_id)
            if spare is not None and attempt.supply == supply.id:
                spare += attempt.chips
            if spare is not None and spare < option.gang_chips:
                continue
            if (
                nodes.find(count, chips, "block" if ask.workload.topology.required == "block" else "any")
                is not None
            ):
                return Reservation(supply.pool, Instant(end), nodes.free_nodes - count, ask.workload_id)
    finally:
        for attempt_id in reversed(given):
            attempt = running[attempt_id]
            nodes.restore(attempt.nodes, attempt.chips_per_node)
    return None
