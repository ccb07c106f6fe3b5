"""Whether a pool can serve a requirement at all, and how much of it is free to be let."""

from __future__ import annotations

from stargate.agreements.refusal import allows_chip, allows_place
from stargate.agreements.right import Requirement, Terms
from stargate.base.money import micro_usd
from stargate.base.time import FOREVER, Instant
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.request import term
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


def misfits(view: View, requirement: Requirement, pool: Pool, chips: int) -> tuple[str, ...]:
    """Parts of the requirement that the pool's nature cannot meet, by field name."""
    per_node = usable_chips_per_node(requirement, pool)
    misses = {
        "chip_types": not allows_chip(requirement.chip_types, pool.chip),
        "jurisdictions": not allows_place(requirement.jurisdictions, view.sites[pool.site].jurisdiction),
        "chips_per_node": per_node == 0,
        "topology": requirement.topology == "block" and chips > pool.block_nodes * per_node,
    }
    return tuple(name for name, is_missed in misses.items() if is_missed)


def usable_chips_per_node(requirement: Requirement, pool: Pool) -> int:
    """Chips of a node that whole node shares of the requirement can fill."""
    return pool.chips_per_node // requirement.chips_per_node * requirement.chips_per_node


def free_chips(view: View, requirement: Requirement, pool: Pool, at: Instant) -> int:
    """Chips that will be operational at an instant and are under no lease."""
    chips = view.nodes_at(pool, at) * usable_chips_per_node(requirement, pool)
    return max(0, chips - view.sourcing.leased_chips.get(pool.id, 0))


def price_micro_usd_per_chip_hour(pool: Pool, at: Instant) -> int | None:
    """What was negotiated, else the list price; None where none is known."""
    price = pool.price_at(at)
    return None if price is None else micro_usd(price)


def standing_terms(view: View, need: Need, pool: Pool, chips: int, at: Instant) -> Terms | None:
    """The catalog's offer for a pool, with the earliest start; None where it has no price or no term is left."""
    start = Instant(min(at + pool.start_delay, FOREVER))
    price = price_micro_usd_per_chip_hour(pool, start)
    duration = term(need, start)
    if price is None or duration <= 0:
        return None
    return Terms(
        chips=chips,
        price_micro_usd_per_chip_hour=price,
        start=start,
        duration=duration,
        chip_type=pool.chip,
        jurisdiction=view.sites[pool.site].jurisdiction,
    )
