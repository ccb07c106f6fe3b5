"""What work can be sized for: pools gathered by what makes a difference to time, or the chips of a catalog alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Protocol

import msgspec

from stargate.agreements.scope import within
from stargate.base.money import micro_usd
from stargate.broker.device import device_of
from stargate.catalog import Chip, Infrastructure, Pool
from stargate.performance.device import Device, Precision
from stargate.workloads import Resources, Workload

NODE_CHIPS = 8
"""Of a machine, where no pool says it, or fewer where a scale-up domain is smaller."""
UNLISTED_NODES = 16_384
"""Nodes that are tried where no pool bounds them."""


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """Machines on which work takes the same time, wherever they stand."""

    chip: Chip
    chips_per_node: int
    domain_chips: int
    scaleout_gbit_per_s: Decimal | None
    """Per chip, as the pool's network gives it; None: as the chip is sold."""
    nodes: int
    """The most that one of the pools has, now or later."""
    price_micro_usd_per_chip_hour: int | None
    """The lowest that using it adds: 0 where it is paid already; None: not known."""
    price_range_micro_usd: tuple[int, int] | None = None
    """Where the price is not settled: what the market was seen to ask, from and to, per chip-hour."""
    pools: tuple[str, ...] = ()
    fabrics: tuple[str, ...] = ()
    """Networks of these pools; empty text: none is named."""

    def device(self, precision: Precision) -> Device:
        """As the formulas see it. Raises NotFoundError where a figure is missing."""
        plain = device_of(self.chip, precision)
        bandwidth = plain.scaleout_bytes_per_s
        if self.scaleout_gbit_per_s is not None:
            bandwidth = float(self.scaleout_gbit_per_s) * 1e9 / 8
        return msgspec.structs.replace(plain, domain_chips=self.domain_chips, scaleout_bytes_per_s=bandwidth)

    @property
    def marginal(self) -> int:
        """For comparing: what is not known counts as nothing."""
        return self.price_micro_usd_per_chip_hour or 0


class Machines(Protocol):
    """Where the machines come from."""

    def suited(self, work: Workload, wanted: Resources) -> tuple[Hardware, ...]:
        """Those that an alternative of the work asks for."""
        ...


class Pools:
    """Machines of pools. `nodes` gives the most that a pool has, `price` what using it adds (None: not known)."""

    def __init__(
        self,
        infrastructure: Infrastructure,
        pools: Iterable[Pool],
        nodes: Callable[[Pool], int],
        price: Callable[[Pool], int | None],
    ) -> None:
        self._infrastructure = infrastructure
        self._pools = tuple(
            pool for pool in pools if pool.chip in infrastructure.chips_by_id and nodes(pool) > 0
        )
        self._nodes = nodes
        self._price = price

    def suited(self, work: Workload, wanted: Resources) -> tuple[Hardware, ...]:
        """Pools of the chip, in the place and within the residency that are asked for, gathered by what matters."""
        groups: dict[tuple[object, ...], list[Pool]] = {}
        for pool in self._pools:
            if self._suits(work, wanted, pool):
                groups.setdefault(_alike(self._infrastructure, pool), []).append(pool)
        found = [self._gathered(group) for group in groups.values()]
        return tuple(sorted(found, key=lambda one: (one.chip.id, one.chips_per_node, one.pools)))

    def one_by_one(self, work: Workload, wanted: Resources) -> tuple[Hardware, ...]:
        """The same, each pool by itself, in the order of the catalog."""
        return tuple(self._gathered([pool]) for pool in self._pools if self._suits(work, wanted, pool))

    def _suits(self, work: Workload, wanted: Resources, pool: Pool) -> bool:
        asked = (wanted.provider, wanted.site, wanted.pool)
        there = (pool.provider, pool.site, pool.id)
        if any(want is not None and want != has for want, has in zip(asked, there, strict=True)):
            return False
        if work.residency:
            code = self._infrastructure.site(pool.site).jurisdiction
            if not any(within(code, allowed) for allowed in work.residency):
                return False
        chip = self._infrastructure.chips_by_id[pool.chip]
        return _is_wanted(self._infrastructure, wanted, chip) and wanted.chips_per_node <= pool.chips_per_node

    def _gathered(self, group: list[Pool]) -> Hardware:
        first, catalog = group[0], self._infrastructure
        prices = [known for known in map(self._price, group) if known is not None]
        return Hardware(
            chip=catalog.chips_by_id[first.chip],
            chips_per_node=first.chips_per_node,
            domain_chips=_domain(catalog, first),
            scaleout_gbit_per_s=_gbit(catalog, first),
            nodes=max(map(self._nodes, group)),
            price_micro_usd_per_chip_hour=min(prices, default=None),
            pools=tuple(sorted(pool.id for pool in group)),
            fabrics=tuple(sorted({pool.fabric or "" for pool in group})),
        )


class Unlisted:
    """Chips without pools: as many as wanted, at the middle of what the market was seen to ask."""

    def __init__(self, infrastructure: Infrastructure) -> None:
        self._infrastructure = infrastructure

    def suited(self, work: Workload, wanted: Resources) -> tuple[Hardware, ...]:
        """Every chip that an alternative asks for, in the order of the catalog."""
        return tuple(
            Hardware(
                chip=chip,
                chips_per_node=wanted.chips_per_node
                or min(NODE_CHIPS, chip.scaleup_domain_chips or NODE_CHIPS),
                domain_chips=chip.scaleup_domain_chips or 1,
                scaleout_gbit_per_s=None,
                nodes=max(work.nodes, UNLISTED_NODES),
                price_micro_usd_per_chip_hour=None if (rent := _rent(chip)) is None else rent[0],
                price_range_micro_usd=None if rent is None else rent[1:],
            )
            for chip in self._infrastructure.chips_by_id.values()
            if _is_wanted(self._infrastructure, wanted, chip)
        )


def _is_wanted(infrastructure: Infrastructure, wanted: Resources, chip: Chip) -> bool:
    return wanted.chip is None or infrastructure.chip_names.find(wanted.chip) == chip


def _alike(infrastructure: Infrastructure, pool: Pool) -> tuple[object, ...]:
    return (
        pool.chip,
        pool.chips_per_node,
        _domain(infrastructure, pool),
        _gbit(infrastructure, pool),
    )


def _domain(infrastructure: Infrastructure, pool: Pool) -> int:
    """Chips that reach one another directly: as the chip is built, cut where a pool's blocks are smaller."""
    built = infrastructure.chips_by_id[pool.chip].scaleup_domain_chips or 1
    if pool.block_nodes == 1 or built <= pool.chips_per_node:
        return built
    return min(built, pool.block_nodes * pool.chips_per_node)


def _gbit(infrastructure: Infrastructure, pool: Pool) -> Decimal | None:
    fabric = infrastructure.fabrics_by_id.get(pool.fabric or "")
    given = None if fabric is None else fabric.gbit_per_s_per_chip
    if given is None or isinstance(given, Decimal):
        return given
    return given.central


def _rent(chip: Chip) -> tuple[int, int, int] | None:
    """What the market was seen to ask: the middle, the least, the most."""
    known = chip.figure("rent_usd_per_chip_hour")
    if known is None:
        return None
    middle = known.central
    low = middle if known.low is None else known.low
    high = middle if known.high is None else known.high
    return micro_usd(middle), micro_usd(low), micro_usd(high)
