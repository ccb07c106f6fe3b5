"""Which gangs are tried: from one chip to all that a pool has."""

from __future__ import annotations

from typing import NamedTuple


class Rung(NamedTuple):
    """A gang: so many nodes with so many chips each."""

    nodes: int
    chips_per_node: int

    @property
    def chips(self) -> int:
        """Of the whole gang."""
        return self.nodes * self.chips_per_node


def ladder(nodes: int, chips_per_node: int, domain_chips: int) -> tuple[Rung, ...]:
    """Gangs of up to so many nodes, smallest first: parts of a node, then whole ones.

    Numbers of nodes are powers of two and three times them, which cut layers, heads and batches without a
    rest, and whole scale-up domains where these span nodes.
    """
    parts = [Rung(1, 2**power) for power in range(chips_per_node.bit_length()) if 2**power < chips_per_node]
    counts = set(_doubled(1, nodes)) | set(_doubled(3, nodes))
    whole, rest = divmod(domain_chips, chips_per_node)
    if whole > 1 and not rest:
        counts |= set(_doubled(whole, nodes))
    return (*parts, *(Rung(count, chips_per_node) for count in sorted(counts)))


def _doubled(number: int, most: int) -> list[int]:
    found = []
    while number <= most:
        found.append(number)
        number *= 2
    return found
