"""EASY backfill: when and where the first blocked slot can start, and what may run until then without delaying it.

Source: D. Lifka, "The ANL/IBM SP scheduling system", 1995. Only the first blocked slot holds a reservation; work
behind it may start now if it ends before that, or if the gang still finds its room beside it when the time comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stargate.base.time import FOREVER, Instant
from stargate.broker.ask import expected_end, required
from stargate.broker.filters import Refusal

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State
    from stargate.broker.supply import Supply


class Start(NamedTuple):
    """The earliest moment at which a gang finds room on one supply."""

    at: Instant
    option: Option
    supply: Supply


class Reservation:
    """Room for a gang on one supply from `starts` on, and the nodes of its pool as they will be then."""

    def __init__(
        self, state: State, ask: Ask, slot: int, start: Start, stopping: frozenset[str], at: Instant
    ) -> None:
        self.starts, self.supply = start.at, start.supply
        self.holder, self.slot = ask.workload_id, slot
        self._count, self._chips = start.option.nodes, start.option.chips_per_node
        self._topology = required(ask.workload)
        self._then = state.nodes[start.supply.pool].copy()
        self._spare = start.supply.spare
        for end, attempt in _ends(state, start.supply, stopping, at):
            if end > start.at:
                break
            self._then.give(attempt.nodes, attempt.chips_per_node)
            if self._spare is not None and attempt.supply == start.supply.id:
                self._spare += attempt.chips

    def refuse(
        self, ask: Ask, option: Option, supply: Supply, nodes: tuple[int, ...], at: Instant
    ) -> Refusal | None:
        """Why these nodes cannot go to other work now: it would still be there, and in the way."""
        if supply.pool != self.supply.pool or expected_end(at, ask, option) <= self.starts:
            return None
        spare = self._spare
        if spare is not None and supply.id == self.supply.id:
            spare -= option.gang_chips
        self._then.restore(nodes, option.chips_per_node)
        room = self._then.find(self._count, self._chips, self._topology) is not None
        self._then.give(nodes, option.chips_per_node)
        if room and (spare is None or spare >= self._count * self._chips):
            return None
        return Refusal("reservation", f"the nodes are kept for {self.holder} from {self.starts}")

    def take(self, supply: str, pool: str, nodes: tuple[int, ...], chips: int, ends: Instant) -> None:
        """Other work was placed."""
        if pool != self.supply.pool or ends <= self.starts:
            return
        self._then.restore(nodes, chips)
        if self._spare is not None and supply == self.supply.id:
            self._spare -= len(nodes) * chips


class Rest:
    """A pass over the queue found nothing to do: for whom room is kept, and who has come since."""

    def __init__(self, reservation: Reservation | None) -> None:
        self.reservation = reservation
        self.newcomers: list[tuple[str, int]] = []


def earliest(
    state: State,
    ask: Ask,
    busy: list[tuple[Option, Supply]],
    at: Instant,
    stopping: frozenset[str] = frozenset(),
) -> Start | None:
    """The start that is done earliest over the offers that could serve; None if the ends known today never suffice.

    An attempt past its expected end, or one that was asked to stop, counts as ending now.
    """
    best: Start | None = None
    for option, supply in busy:
        # What is sized differs in time from chip to chip: the first to be done is sought, not the first to start.
        before = FOREVER if best is None else Instant(best.option.ends(best.at) - option.duration)
        found = _on_supply(state, ask, option, supply, at, stopping, before)
        if found is not None:
            best = Start(found, option, supply)
    return best


def _on_supply(
    state: State,
    ask: Ask,
    option: Option,
    supply: Supply,
    at: Instant,
    stopping: frozenset[str],
    before: Instant,
) -> Instant | None:
    nodes = state.nodes[supply.pool]
    before = min(before, supply.until.plus(-state.records.policy.migration.lease_end_notice))
    given: list[AttemptState] = []
    spare = supply.spare
    try:
        for end, attempt in _ends(state, supply, stopping, at):
            if end >= before:
                return None
            nodes.give(attempt.nodes, attempt.chips_per_node)
            given.append(attempt)
            if spare is not None and attempt.supply == supply.id:
                spare += attempt.chips
            if spare is not None and spare < option.gang_chips:
                continue
            if nodes.find(option.nodes, option.chips_per_node, required(ask.workload)) is not None:
                return end
    finally:
        for attempt in reversed(given):
            nodes.restore(attempt.nodes, attempt.chips_per_node)
    return None


def _ends(
    state: State, supply: Supply, stopping: frozenset[str], at: Instant
) -> list[tuple[Instant, AttemptState]]:
    """What runs on the supply's pool with its end, the soonest first; services, which do not end, are left out."""
    running = state.live_on.get(supply.pool, {}).values()
    ends = [
        (at if a.status == "stopping" or a.id in stopping else Instant(max(at, a.expected_end)), a)
        for a in running
        if a.expected_end < FOREVER or a.status == "stopping" or a.id in stopping
    ]
    return sorted(ends, key=lambda item: (item[0], item[1].id))
