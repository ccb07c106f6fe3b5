"""The supplies of one chip, cheapest first, and where among them there is room.

A tree over the positions holds, for each half, quarter and so on of the list, the most that is free in it: the next
supply with enough room is found without looking at those before it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stargate.broker.nodes import NodeMap
    from stargate.broker.supply import Supply

Key = tuple[int, str]
"""Marginal price and id of a supply."""


class PriceList:
    """The tree is built when somebody asks, and kept from then on until a supply comes, goes or is repriced."""

    def __init__(self, nodes: Mapping[str, NodeMap]) -> None:
        self._nodes = nodes
        self.keys: list[Key] = []
        """In order."""
        self.supplies: list[Supply] = []
        """In the same order."""
        self._places: dict[str, list[int]] = {}
        """Pool to the positions of its supplies."""
        self._width = 0
        """Leaves of the tree; 0: it has to be built."""
        self._tree: list[int] = []

    def add(self, supply: Supply) -> None:
        """The supply takes its place."""
        at = bisect_left(self.keys, (supply.marginal, supply.id))
        insort(self.keys, (supply.marginal, supply.id))
        self.supplies.insert(at, supply)
        self._width = 0

    def remove(self, supply: Supply) -> None:
        """It must be there under its marginal price."""
        at = bisect_left(self.keys, (supply.marginal, supply.id))
        assert self.supplies[at] is supply, "a supply is listed under its marginal price"
        del self.keys[at], self.supplies[at]
        self._width = 0

    def note(self, pool: str) -> None:
        """More or less is free in a pool than was."""
        if self._width:
            free = self._nodes[pool].free_chips
            for place in self._places.get(pool, ()):
                self._set(place, free)

    def _set(self, place: int, free: int) -> None:
        """A leaf has another value: so have those above it, as far up as it is felt."""
        tree, node, most = self._tree, place + self._width, free
        while node and tree[node] != most:
            tree[node] = most
            most = max(tree[node ^ 1], most) if node > 1 else most
            node >>= 1

    def most_free(self, beside: str = "") -> int:
        """Chips of the roomiest pool, or of the roomiest but one that is named; -1 where there is none."""
        if not self._width:
            self._build()
        places = self._places.get(beside, ())
        for place in places:
            self._set(place, -1)
        most = self._tree[1]
        for place in places:
            self._set(place, self._nodes[beside].free_chips)
        return most

    def roomy(self, start: int, chips: int) -> int:
        """The first position from `start` on whose pool has so many free chips; -1: none has."""
        if len(self.keys) == 1:  # one supply needs no tree
            return 0 if not start and self._nodes[self.supplies[0].pool].free_chips >= chips else -1
        if not self._width:
            self._build()
        width, tree = self._width, self._tree
        if start >= width:
            return -1
        node = start + width
        while tree[node] < chips:
            # On to the next branch to the right: from a right one that is beside the parent.
            while node & 1:
                node >>= 1
            if not node:
                return -1
            node += 1
        while node < width:
            node <<= 1
            if tree[node] < chips:
                node += 1
        return node - width

    def _build(self) -> None:
        self._width = width = 1 << max(0, len(self.supplies) - 1).bit_length()
        tree = [-1] * (2 * width)
        self._places = {}
        for place, supply in enumerate(self.supplies):
            tree[width + place] = self._nodes[supply.pool].free_chips
            self._places.setdefault(supply.pool, []).append(place)
        for node in range(width - 1, 0, -1):
            tree[node] = max(tree[2 * node], tree[2 * node + 1])
        self._tree = tree
