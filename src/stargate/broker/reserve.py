"""EASY backfill: when and where the first blocked slot can start, and what may run until then without delaying it.

Source: D. Lifka, "The ANL/IBM SP scheduling system", 1995. Only the first blocked slot holds a reservation; work
behind it may start now if it ends before that, or if the gang still finds its room beside it when the time comes.
What should end at the same moment is counted the smallest first, and no further than until the gang has its room.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from stargate.base.time import FOREVER, Instant
from stargate.broker.ask import expected_end, required
from stargate.broker.filters import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stargate.broker.ask import Ask, Option
    from stargate.broker.nodes import NodeMap
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State, Waiting
    from stargate.broker.supply import Supply


class Start(NamedTuple):
    """The earliest moment at which a gang finds room on one supply."""

    at: Instant
    option: Option
    supply: Supply
    freed: list[AttemptState]
    """What has to end for it."""
    chips: int
    """Free in the pool then, if nothing else is placed."""


StartKey = tuple[str, int | None, int, int, str]
"""A supply with its chips, and nodes, chips of a node and topology of a gang."""
Starts = dict[StartKey, tuple[int, Start | None, Instant]]
"""What was found when its pool had moved so often: the start, or None where there is none before a moment."""
UNKNOWN: tuple[int, Start | None, Instant] = (-1, None, Instant(0))
STARTS_KEPT = 10_000


class Reservation:
    """Room for a gang on one supply from `starts` on, and the nodes of its pool as they will be then."""

    def __init__(self, state: State, ask: Ask, slot: int, start: Start) -> None:
        self.starts, self.supply = start.at, start.supply
        self.holder, self.slot = ask.workload_id, slot
        self.tied = False
        """Something was placed that should end at that very moment: how much is left then may be counted better."""
        self._now = state.nodes[start.supply.pool]
        self._freed = start.freed
        self._passing: list[tuple[tuple[int, ...], int]] = []
        """What was placed since and will have ended by then."""
        self._count, self._chips = start.option.nodes, start.option.chips_per_node
        self._topology = required(ask.workload)
        self._spare = start.supply.spare
        if self._spare is not None:
            self._spare += sum(a.chips for a in start.freed if a.supply == start.supply.id)
        self._left: int | None = None
        """Whole nodes beside the gang's, where counting them is enough."""
        self._map: NodeMap | None = None
        self._beside = start.chips - start.option.gang_chips
        """Chips of the pool that are free then, without the gang's."""
        if counts(state, start.supply.pool, ask, start.option):
            self._left = start.chips // self._chips - self._count

    @property
    def spare_chips(self) -> int:
        """What cannot be exceeded by all work that will still be there."""
        return self._beside if self._left is None else self._left * self._chips

    @property
    def _then(self) -> NodeMap:
        """The nodes at the start. Made when first needed."""
        if self._map is None:
            self._map = self._now.copy()
            for attempt in self._freed:
                self._map.give(attempt.nodes, attempt.chips_per_node)
            for nodes, chips in self._passing:
                self._map.give(nodes, chips)
        return self._map

    def refuse(
        self, ask: Ask, option: Option, supply: Supply, nodes: tuple[int, ...], at: Instant
    ) -> Refusal | None:
        """Why these nodes cannot go to other work now: it would still be there, and in the way."""
        if supply.pool != self.supply.pool or expected_end(at, ask, option) <= self.starts:
            return None
        spare = self._spare
        if spare is not None and supply.id == self.supply.id:
            spare -= option.gang_chips
        room = self._leaves_room(nodes, option.chips_per_node)
        if room and (spare is None or spare >= self._count * self._chips):
            return None
        return Refusal("reservation", f"the nodes are kept for {self.holder} from {self.starts}")

    def _leaves_room(self, nodes: tuple[int, ...], chips: int) -> bool:
        if self._left is not None and chips == self._chips:
            return len(nodes) <= self._left
        self._left = None
        then = self._then
        then.restore(nodes, chips)
        room = then.fits(self._count, self._chips, self._topology)
        then.give(nodes, chips)
        return room

    def take(self, supply: str, pool: str, nodes: tuple[int, ...], chips: int, ends: Instant) -> None:
        """Other work was placed, and holds these nodes by now."""
        if pool != self.supply.pool:
            return
        if ends <= self.starts:
            self.tied = self.tied or ends == self.starts
            if self._map is None:
                self._passing.append((nodes, chips))
            return
        self._beside -= len(nodes) * chips
        if self._left is not None:
            self._left -= len(nodes)
        if self._map is not None:
            self._map.restore(nodes, chips)
        if self._spare is not None and supply == self.supply.id:
            self._spare -= len(nodes) * chips


class Rest(msgspec.Struct, gc=False):
    """A pass over the queue left nothing to do: who is the first in line, and who has come since."""

    head: Waiting | None
    """The first that is blocked."""
    reservation: Reservation | None
    at: Instant
    clears: bool = False
    """A team makes quota free for one of its own: newcomers of the team must not take it, so all are looked at."""
    newcomers: list[Waiting] = []

    def holds(self, at: Instant) -> bool:
        """Whether what is kept is what it would be if it were looked at now."""
        kept = self.reservation
        if self.clears:
            return False
        return kept is None or (not kept.tied and (at == self.at or at < kept.starts))


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
    notice = state.records.policy.migration.lease_end_notice
    topology = required(ask.workload)
    best: tuple[int, int, Start] | None = None
    open_yet: list[tuple[int, Option, Supply, StartKey, Instant]] = []
    told = stopping <= state.stopping.keys()
    for place, (option, supply) in enumerate(busy):
        key: StartKey = (supply.id, supply.chips, option.nodes, option.chips_per_node, topology)
        moves, start, bound = state.starts.get(key, UNKNOWN)
        past = start is not None and start.at <= at
        if past or not told or moves != state.supplies.moves.get(supply.pool, 0):
            start, bound = None, at
        if start is None:
            open_yet.append((place, option, supply, key, bound))
        elif start.at < supply.until.plus(-notice):
            # What ends between then and now counts as ending now: it was needed for a start that is still to come.
            ends = option.ends(start.at)
            if best is None or ends < best[0]:
                best = (ends, place, start._replace(option=option))
    for place, option, supply, known, bound in open_yet:
        before = supply.until.plus(-notice)
        if best is not None:
            # What is sized differs in time from chip to chip: the first to be done is sought, not the first to start.
            before = min(before, Instant(best[0] - option.duration + (place < best[1])))
        if bound >= before:
            continue
        start = _on_supply(state, ask, option, supply, at, stopping, before)
        if told:
            if len(state.starts) >= STARTS_KEPT:
                state.starts.clear()
            state.starts[known] = (state.supplies.moves.get(supply.pool, 0), start, before)
        if start is not None:
            best = (option.ends(start.at), place, start)
    return None if best is None else best[2]


def counts(state: State, pool: str, ask: Ask, option: Option) -> bool:
    """Whether whole nodes are all that is asked for and all that is in use, wherever they stand."""
    nodes = state.nodes[pool]
    return (
        option.chips_per_node == nodes.chips_per_node
        and not state.sharing.get(pool)
        and not nodes.beyond
        and required(ask.workload) == "any"
    )


def _on_supply(
    state: State,
    ask: Ask,
    option: Option,
    supply: Supply,
    at: Instant,
    stopping: frozenset[str],
    before: Instant,
) -> Start | None:
    nodes, count = state.nodes[supply.pool], option.nodes
    counting = counts(state, supply.pool, ask, option)
    chips, spare = nodes.free_chips, supply.spare
    freed: list[AttemptState] = []
    given = 0
    try:
        for end, its, attempt in _ends(state, supply.pool, stopping, at):
            if end >= before:
                return None
            freed.append(attempt)
            chips += its
            if spare is not None and attempt.supply == supply.id:
                spare += its
            if chips < option.gang_chips or (spare is not None and spare < option.gang_chips):
                continue
            if not counting:
                for one in freed[given:]:
                    nodes.give(one.nodes, one.chips_per_node)
                given = len(freed)
            if counting or nodes.fits(count, option.chips_per_node, required(ask.workload)):
                return Start(end, option, supply, freed, chips)
    finally:
        for attempt in reversed(freed[:given]):
            nodes.restore(attempt.nodes, attempt.chips_per_node)
    return None


def _ends(
    state: State, pool: str, stopping: frozenset[str], at: Instant
) -> Iterator[tuple[Instant, int, AttemptState]]:
    """What runs on a pool with its end and chips, the soonest and then the smallest first; services do not end."""
    live = state.live_on.get(pool, {})
    listed = state.ends.on(pool)
    late = bisect_left(listed, (at + 1, 0, ""))
    going: set[str] = set()
    if state.stopping or stopping:
        going = {a.id for a in state.stopping.values() if a.pool == pool} | (stopping & live.keys())
    now = [(chips, id) for _, chips, id in listed[:late] if id not in going]
    now += [(live[id].chips, id) for id in going]
    for chips, id in sorted(now):
        yield at, chips, live[id]
    for place in range(late, len(listed)):
        end, chips, id = listed[place]
        if end >= FOREVER:
            return
        if id not in going:
            yield end, chips, live[id]
