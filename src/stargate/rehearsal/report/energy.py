"""What the chips of a rehearsal draw: at work and waiting, with their hosts and the hall around them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import field

from stargate.base.errors import NotFoundError
from stargate.base.time import HOUR
from stargate.catalog import Infrastructure, Pool
from stargate.catalog.dated import Figure
from stargate.performance.energy import draw_of, facility_w

CHIP_US_W_PER_MWH = 1_000_000 * HOUR
"""Chip-microseconds x watts in a megawatt-hour."""


class Draws(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of a chip's rated power, and the hall's factor; by default those of the performance model."""

    busy_share: float = field(default_factory=lambda: draw_of("compute").point)
    """Of a chip at work."""
    idle_share: float = field(default_factory=lambda: draw_of("idle").point)
    """Of a chip that waits."""
    host_share: float = field(default_factory=lambda: draw_of("host").point)
    """Of everything else in its machine, at work or not."""
    pue: float = field(default_factory=lambda: draw_of("pue").point)
    """Power of the hall over that of its machines, where a site does not state its own."""


class Watts(msgspec.Struct, frozen=True):
    """Power at the meter, per chip."""

    busy_w: float = 0.0
    idle_w: float = 0.0


def watts(infrastructure: Infrastructure, pool: Pool, draws: Draws) -> Watts:
    """Per chip of a pool: rated power x (share of the chip + share of its host) x PUE.

    Zero where the catalog does not know the chip's rated power.
    """
    try:
        rated = infrastructure.chip_named(pool.chip).figure("tdp_w")
    except NotFoundError:
        return Watts()
    if rated is None:
        return Watts()
    site = infrastructure.sites_by_id.get(pool.site)
    stated = None if site is None else site.pue
    if isinstance(stated, Figure):
        stated = stated.central
    pue = draws.pue if stated is None else float(Decimal(stated))
    rated_w = float(rated.central)
    return Watts(
        facility_w(rated_w, draws.busy_share, draws.host_share, pue),
        facility_w(rated_w, draws.idle_share, draws.host_share, pue),
    )


def energy_mwh(per_chip: Watts, held_chip_us: float, used_chip_us: float, down_chip_us: float) -> float:
    """Of chips at work, and of those that wait and are not down. Work is never on chips that are down for long."""
    waiting = max(0.0, held_chip_us - used_chip_us - down_chip_us)
    return (per_chip.busy_w * used_chip_us + per_chip.idle_w * waiting) / CHIP_US_W_PER_MWH
