"""How many nodes of each pool may run when: the least of what the catalog, lost capacity and a site's power allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from stargate.base.errors import InputError, Problem
from stargate.base.time import Instant
from stargate.broker.command import SetCapacity
from stargate.catalog import Infrastructure, Pool, Site
from stargate.catalog.dated import Figure
from stargate.rehearsal.clock import Event


class Cap(msgspec.Struct, frozen=True):
    """A pool has at most `nodes`, or a fraction of what the catalog says, in `[begin, end)`."""

    pool: str
    begin: Instant
    end: Instant
    nodes: int | None
    fraction: float | None

    def allows(self, nodes: int) -> int:
        """Of so many."""
        return min(nodes, int(nodes * (self.fraction or 0.0)) if self.nodes is None else self.nodes)


class PowerCap(msgspec.Struct, frozen=True):
    """A site draws at most `cap_mw` in `[begin, end)`."""

    site: str
    begin: Instant
    end: Instant
    cap_mw: float
    kw_per_chip: float | None


def kw_per_chip(infrastructure: Infrastructure, site: Site, pool: Pool, at: Instant) -> float:
    """What a chip of a pool draws with everything around it.

    The site's operational power over its chips where the catalog has both at that time; else the chip's own power
    times the site's PUE, which leaves out the rest of the server. Raises InputError where neither is known.
    """
    power = site.power_mw_at(at)
    chips = sum(one.chips_at(at) for one in infrastructure.pools if one.site == site.id)
    if power is not None and power > 0 and chips:
        return float(power) * 1000 / chips
    tdp = infrastructure.chip_named(pool.chip).figure("tdp_w")
    if tdp is None:
        message = f"it is not known what a {pool.chip} at {site.id} draws"
        raise InputError((Problem(message, "Give kw_per_chip.", path="faults"),))
    pue = site.pue.central if isinstance(site.pue, Figure) else site.pue
    return float(tdp.central) / 1000 * float(pue or 1)


def capacity_events(
    infrastructure: Infrastructure,
    caps: Sequence[Cap],
    powers: Sequence[PowerCap],
    start: Instant,
    until: Instant,
    counted: Mapping[str, int],
) -> Iterator[Event]:
    """A count whenever it changes, of every pool that a cap or its site's power may hold down.

    Once a pool is counted the broker leaves the catalog's dates aside; therefore they are told here from then on.
    """
    sites = {cap.site for cap in powers}
    capped = {cap.pool for cap in caps}
    held = [pool for pool in infrastructure.pools if pool.id in capped or pool.site in sites]
    moments = sorted(
        {
            moment
            for moment in (
                start,
                *(begin for cap in caps for begin in (cap.begin, cap.end)),
                *(begin for cap in powers for begin in (cap.begin, cap.end)),
                *(count.from_ for pool in held for count in pool.nodes if count.status == "operational"),
            )
            if start <= moment < until
        }
    )
    told = {pool.id: _base(pool, start, counted) for pool in held}
    for moment in moments:
        for pool in held:
            nodes = _nodes(infrastructure, pool, caps, powers, moment, counted)
            if nodes != told[pool.id]:
                told[pool.id] = nodes
                yield moment, SetCapacity(pool.id, nodes, "limited by power, or by what could be had")


def _base(pool: Pool, at: Instant, counted: Mapping[str, int]) -> int:
    return counted[pool.id] if pool.id in counted else pool.nodes_at(at)


def _nodes(
    infrastructure: Infrastructure,
    pool: Pool,
    caps: Iterable[Cap],
    powers: Iterable[PowerCap],
    at: Instant,
    counted: Mapping[str, int],
) -> int:
    base = nodes = _base(pool, at, counted)
    for cap in caps:
        if cap.pool == pool.id and cap.begin <= at < cap.end:
            nodes = min(nodes, cap.allows(base))
    for power in powers:
        if power.site == pool.site and power.begin <= at < power.end:
            nodes = min(nodes, int(base * _lit_fraction(infrastructure, power, at, counted)))
    return nodes


def _lit_fraction(
    infrastructure: Infrastructure, power: PowerCap, at: Instant, counted: Mapping[str, int]
) -> float:
    """The part of a site's nodes that its cap lets run; every pool of the site gives up the same part."""
    site = infrastructure.sites_by_id[power.site]
    wanted_kw = 0.0
    for pool in infrastructure.pools:
        if pool.site == site.id and (nodes := _base(pool, at, counted)):
            each = power.kw_per_chip or kw_per_chip(infrastructure, site, pool, at)
            wanted_kw += nodes * pool.chips_per_node * each
    return min(1.0, power.cap_mw * 1000 / wanted_kw) if wanted_kw else 1.0
