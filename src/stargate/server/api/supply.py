"""Pools: what there is to run on, how much of it is in use, and whether it is up."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from stargate.base.time import Instant
from stargate.broker import State
from stargate.broker.command import MarkSupply, SetCapacity
from stargate.catalog import Pool
from stargate.server.access import not_found
from stargate.server.api.offers import Recording
from stargate.server.api.page import After, Id, IdempotencyKey, Limit, cut
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.api.terms import Name, Words

SupplyStatus = Literal["up", "draining", "lost"]


class SupplyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`draining`: what runs there moves on; `lost`: it is gone, with all it ran; `up`: it is back."""

    scope: Literal["provider", "site", "pool"]
    id: Name
    status: SupplyStatus
    evidence: Words = ""


class CapacityBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Nodes as somebody counted them; from here on the catalog's dates no longer apply to this pool."""

    nodes: Annotated[int, Meta(ge=0, le=100_000_000)]
    evidence: Words = ""


class PoolView(msgspec.Struct, frozen=True):
    """A pool as it is now."""

    id: str
    name: str
    provider: str
    party: str
    """The provider's."""
    site: str
    jurisdiction: str
    chip: str
    tenure: str
    """`owned` and `reserved` are paid for anyway, `on_demand` by use, `market` must be sourced first."""
    engine: str
    status: SupplyStatus
    """The worst of what was said of the pool, its site and its provider."""
    nodes: int
    """Operational now."""
    chips_per_node: int
    chips: int
    chips_held: int
    """Of them, what may be placed on: all, or what leases hold of a market pool."""
    chips_in_use: int
    attempts: int
    price_micro_usd_per_chip_hour: int | None
    until: Instant | None


class PoolPage(msgspec.Struct, frozen=True):
    """Pools by id."""

    items: tuple[PoolView, ...]
    total: int
    next: str | None
    chips: int
    """Of all pools that match, not only those on this page."""
    chips_held: int
    chips_in_use: int


@reading("/v1/pools", "pools.read")
async def list_pools(
    house: Here,
    limit: Limit = 50,
    after: After = "",
    provider: Annotated[str, QueryParameter(max_length=128, description="Only this provider's.")] = "",
    site: Annotated[str, QueryParameter(max_length=128, description="Only at this site.")] = "",
    chip: Annotated[str, QueryParameter(max_length=128, description="Only with this chip (its id).")] = "",
) -> PoolPage:
    """Pools with capacity, use, status and price."""

    def keep(pool: Pool) -> bool:
        wanted = ((provider, pool.provider), (site, pool.site), (chip, pool.chip))
        return all(not asked or asked == has for asked, has in wanted)

    def view(state: State) -> PoolPage:
        leased = _leased(state)
        pools = sorted(state.catalog_pools.values(), key=lambda pool: pool.id)
        found, total, following = cut(pools, limit, after, lambda pool: pool.id, keep)
        matching = [_view(state, pool, leased) for pool in pools if keep(pool)]
        return PoolPage(
            items=tuple(_view(state, pool, leased) for pool in found),
            total=total,
            next=following,
            chips=sum(pool.chips for pool in matching),
            chips_held=sum(pool.chips_held for pool in matching),
            chips_in_use=sum(pool.chips_in_use for pool in matching),
        )

    return await house.driver.read(view)


@reading("/v1/pools/{id:str}", "pools.read")
async def show_pool(house: Here, id: Id) -> PoolView:
    """One pool."""

    def view(state: State) -> PoolView:
        pool = state.catalog_pools.get(id)
        if pool is None:
            raise not_found("pool", id)
        return _view(state, pool, _leased(state))

    return await house.driver.read(view)


@changing("/v1/supply", "supply.mark")
async def mark_supply(
    house: Here, actor: Asking, data: JSONBody[SupplyBody], idempotency_key: IdempotencyKey = ""
) -> Recording:
    """Say that a provider, site or pool is draining, lost or up."""
    evidence = data.evidence or f"{actor.name} said so"
    command = MarkSupply(data.scope, data.id, data.status, evidence)
    receipt = await house.ask(actor, command, idempotency_key)
    return Recording(receipt.seq, receipt.repeated)


@changing("/v1/pools/{id:str}/capacity", "supply.mark")
async def set_capacity(
    house: Here, actor: Asking, id: Id, data: JSONBody[CapacityBody], idempotency_key: IdempotencyKey = ""
) -> Recording:
    """Say how many nodes of a pool work now. What runs on others is moved."""
    evidence = data.evidence or f"{actor.name} counted"
    receipt = await house.ask(actor, SetCapacity(id, data.nodes, evidence), idempotency_key)
    return Recording(receipt.seq, receipt.repeated)


def _leased(state: State) -> dict[str, int]:
    """Chips under active leases, by pool."""
    found: dict[str, int] = {}
    for lease in state.sourcing.leases.values():
        if lease.status == "active":
            found[lease.pool] = found.get(lease.pool, 0) + lease.chips
    return found


def _view(state: State, pool: Pool, leased: dict[str, int]) -> PoolView:
    nodes = state.records.nodes.get(pool.id, 0)
    live = state.live_on.get(pool.id, {})
    chips = nodes * pool.chips_per_node
    status: Any = state.status_of(pool)
    return PoolView(
        id=pool.id,
        name=pool.name,
        provider=pool.provider,
        party=state.providers[pool.provider].party,
        site=pool.site,
        jurisdiction=state.sites[pool.site].jurisdiction,
        chip=pool.chip,
        tenure=pool.tenure,
        engine=pool.engine.kind,
        status=status,
        nodes=nodes,
        chips_per_node=pool.chips_per_node,
        chips=chips,
        chips_held=leased.get(pool.id, 0) if pool.tenure == "market" else chips,
        chips_in_use=sum(attempt.chips for attempt in live.values()),
        attempts=len(live),
        price_micro_usd_per_chip_hour=state.records.prices.get(pool.id),
        until=pool.until,
    )


ROUTES: tuple[Any, ...] = (list_pools, show_pool, mark_supply, set_capacity)
