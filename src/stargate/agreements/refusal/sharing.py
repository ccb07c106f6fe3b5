"""Several holders of equal rank share one need: by weight, with over-subscription, to whole nodes.

Each holder says how much it would take. Everybody first gets its share of the whole, as far as it wants
it; what others leave is shared again among those who want more, until nothing is wanted or nothing is
left. Parts of a node go by largest remainder; ties go to the holder whose party id comes first.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec


class Claim(msgspec.Struct, frozen=True):
    """What one holder would take."""

    party: str
    weight: int
    wanted_chips: int


def share(total_chips: int, chips_per_node: int, claims: tuple[Claim, ...]) -> dict[str, int]:
    """Chips for each party, in whole nodes; parties are distinct, weights positive.

    The parts never exceed what was wanted, add up to at most `total_chips`, and leave nothing that fits
    and is wanted.
    """
    assert chips_per_node > 0, "a node has chips"
    assert len({claim.party for claim in claims}) == len(claims), "a party claims once"
    assert all(claim.weight > 0 for claim in claims), "a weight is positive"
    wanted = {claim.party: claim.wanted_chips // chips_per_node for claim in claims}
    weights = {claim.party: claim.weight for claim in claims}
    given = dict.fromkeys(wanted, 0)
    left = total_chips // chips_per_node
    while left:
        hungry = {party: weights[party] for party, nodes in wanted.items() if nodes > given[party]}
        if not hungry:
            break
        for party, nodes in largest_remainder(left, hungry).items():
            taken = min(nodes, wanted[party] - given[party])
            given[party] += taken
            left -= taken
    return {party: nodes * chips_per_node for party, nodes in given.items()}


def entitlements(total_chips: int, chips_per_node: int, weights: dict[str, int]) -> dict[str, int]:
    """The share of each party before over-subscription, in whole nodes."""
    nodes = largest_remainder(total_chips // chips_per_node, weights)
    return {party: count * chips_per_node for party, count in nodes.items()}


def largest_remainder(units: int, weights: dict[str, int]) -> dict[str, int]:
    """Whole units by weight, adding up exactly; the largest remainders are rounded up, ties by party id."""
    whole = sum(weights.values())
    exact = {party: Fraction(units * weight, whole) for party, weight in weights.items()}
    parts = {party: int(quota) for party, quota in exact.items()}
    rest = units - sum(parts.values())
    by_remainder = sorted(exact, key=lambda party: (parts[party] - exact[party], party))
    for party in by_remainder[:rest]:
        parts[party] += 1
    return parts
