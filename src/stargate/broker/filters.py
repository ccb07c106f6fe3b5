"""The hard filters of placement. Each gives a Refusal that says why, or None.

Class filters are asked once for a (provider, site, tenure); supply filters once for each offer; what depends on what
runs now, as a provider's share does, at every search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from stargate.agreements import Decision, Request
from stargate.agreements.scope import within as lies_within
from stargate.base.money import cost_micro_usd, format_usd
from stargate.base.time import FOREVER, Instant
from stargate.broker.ground import Ground

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.state import State
    from stargate.broker.supply import Supply, SupplyClass
    from stargate.catalog import Pool

FilterName = Literal[
    "place", "health", "engine", "residency", "agreement", "independence", "avoid", "chip", "fabric", "size",
    "topology", "price", "budget", "term", "capacity", "reservation",
]  # fmt: skip


class Refusal(msgspec.Struct, frozen=True):
    """Why a candidate is out."""

    filter: FilterName
    says: str
    clause: str = ""

    def ground(self) -> Ground:
        """The same as a reason on record."""
        return Ground(self.says, self.clause)


def attributes(state: State, ask: Ask, option: Option, kind: SupplyClass, chip: str) -> dict[str, object]:
    """What agreements may look at when a workload asks for a class of supply."""
    site = state.sites[kind.site]
    work = ask.workload
    found: dict[str, object] = {
        "provider": kind.provider,
        "provider_party": state.providers[kind.provider].party,
        "site": kind.site,
        "jurisdiction": site.jurisdiction,
        "country": site.jurisdiction.partition("-")[0],
        "chip": chip,
        "chips": option.gang_chips,
        "kind": work.kind,
        "tenure": kind.tenure,
    }
    if kind.agreement:
        found["agreement"] = kind.agreement
    for name in ("team", "product", "model", "customer"):
        value = getattr(work, name)
        if value:
            found[name] = value
    return found


def within(jurisdiction: str, allowed: tuple[str, ...]) -> bool:
    """`US` covers `US-TX`; an empty list covers everything."""
    return not allowed or any(lies_within(jurisdiction, code) for code in allowed)


def refuse_class(
    state: State, ask: Ask, option: Option, kind: SupplyClass, chip: str, at: Instant
) -> Refusal | None:
    """The filters that hold for a whole class and its supplies of one chip, whatever runs now; cheapest first."""
    wanted = option.resources
    if wanted.provider is not None and wanted.provider != kind.provider:
        return Refusal("place", f"the work asks for provider {wanted.provider}")
    if wanted.site is not None and wanted.site != kind.site:
        return Refusal("place", f"the work asks for site {wanted.site}")
    if state.records.marks:
        for scope, name in (("provider", kind.provider), ("site", kind.site)):
            mark = state.records.marks.get(f"{scope}:{name}")
            if mark is not None:
                return Refusal("health", f"{scope} {name} is {mark}")
    if kind.provider in ask.avoid:
        return Refusal("avoid", f"{kind.provider} failed this work lately; others come first")
    if ask.workload.residency and not within(
        jurisdiction := state.sites[kind.site].jurisdiction, ask.workload.residency
    ):
        allowed = ", ".join(ask.workload.residency)
        return Refusal("residency", f"{kind.site} is in {jurisdiction}; the work must stay in {allowed}")
    return refuse_by_agreement(state, ask, option, kind, chip, at) if state.book.agreements else None


def refuse_by_agreement(
    state: State, ask: Ask, option: Option, kind: SupplyClass, chip: str, at: Instant, pool: str = ""
) -> Refusal | None:
    """What was promised: forbidden or undecided placements are out, with the clause."""
    found = attributes(state, ask, option, kind, chip)
    if pool:
        found["pool"] = pool
    return refusal_of(state.decision(at, request_of(state, ask, found)))


def request_of(state: State, ask: Ask, found: dict[str, object]) -> Request:
    """The question put to the agreements."""
    return Request(
        action=ask.workload.kind,
        party=state.records.policy.lab,
        provider=str(found["provider_party"]),
        attributes=found,
    )


def refusal_of(decision: Decision) -> Refusal | None:
    """A decision as a filter's answer."""
    if decision.outcome not in {"forbid", "conflict"}:
        return None
    reason = decision.reasons[0]
    change = f" (would change: {reason.would_change})" if reason.would_change else ""
    return Refusal("agreement", f"{reason.says}{change}", reason.clause)


def may_carry(state: State, provider: str, chips: int) -> bool:
    """Independence: whether policy allows the provider so many chips more than it carries now."""
    cap = state.records.policy.max_provider_share
    return cap is None or state.provider_chips.get(provider, 0) + chips <= state.supplies.share_chips(cap)


def refuse_share(state: State, option: Option, kind: SupplyClass) -> Refusal | None:
    """The same, with the reason why not."""
    if may_carry(state, kind.provider, option.gang_chips):
        return None
    share, cap = (
        state.provider_chips.get(kind.provider, 0) + option.gang_chips,
        state.records.policy.max_provider_share,
    )
    held = state.held_chips()
    return Refusal(
        "independence",
        f"{kind.provider} would carry {share} of {held} held chips; policy allows {cap:.0%} for one provider",
    )


def refuse_supply(state: State, ask: Ask, option: Option, supply: Supply, at: Instant) -> Refusal | None:
    """The filters of one offer that do not depend on what is free right now."""
    pool = state.catalog_pools[supply.pool]
    if option.resources.pool is not None and option.resources.pool != supply.pool:
        return Refusal("place", f"the work asks for pool {option.resources.pool}")
    mark = state.records.marks.get(f"pool:{supply.pool}") if state.records.marks else None
    if mark is not None:
        return Refusal("health", f"pool {supply.pool} is {mark}")
    if pool.engine.kind == "none":
        return Refusal("engine", f"pool {supply.pool} has no engine: no work can be started there")
    fabrics = () if option.size is None else option.size.fabrics
    if fabrics and (pool.fabric or "") not in fabrics:
        return Refusal("fabric", "its network is another than this size was made for")
    too_large = _refuse_room(state, ask, option, supply, pool)
    if too_large is not None:
        return too_large
    if supply.kind.tenure == "on_demand" and supply.pool not in state.records.prices:
        return Refusal("price", f"pool {supply.pool} is paid by use, and no price is known for now")
    if option.cap_micro_usd_per_chip_hour is not None and supply.price > option.cap_micro_usd_per_chip_hour:
        return Refusal(
            "price",
            f"{format_usd(supply.price)} a chip-hour is above the cap of "
            f"{format_usd(option.cap_micro_usd_per_chip_hour)}",
        )
    if state.book.agreements and "pool" in state.book.fields:
        refusal = refuse_by_agreement(state, ask, option, supply.kind, supply.chip, at, supply.pool)
        if refusal is not None:
            return refusal
    if ask.budget_micro_usd is None and supply.until >= FOREVER:
        return None
    return _refuse_cost(ask, option, supply) or _refuse_term(state, ask, option, supply, at)


def _refuse_room(state: State, ask: Ask, option: Option, supply: Supply, pool: Pool) -> Refusal | None:
    """Whether the gang is too large for the place, were it empty."""
    if option.chips_per_node > pool.chips_per_node:
        return Refusal(
            "size", f"a node has {pool.chips_per_node} chips; the work wants {option.chips_per_node}"
        )
    nodes = state.nodes[supply.pool].nodes
    whole = nodes * pool.chips_per_node if supply.chips is None else supply.chips
    if option.nodes > nodes or option.gang_chips > whole:
        return Refusal(
            "size", f"{whole} chips on {nodes} nodes; the gang wants {option.gang_chips} on {option.nodes}"
        )
    if ask.workload.topology.required == "block" and option.nodes > pool.block_nodes:
        return Refusal("topology", f"a block has {pool.block_nodes} nodes; the gang must share one")
    return None


def _refuse_cost(ask: Ask, option: Option, supply: Supply) -> Refusal | None:
    if ask.budget_micro_usd is None:
        return None
    cost = cost_micro_usd(supply.price, option.gang_chips, option.duration)
    if cost > ask.budget_micro_usd:
        return Refusal(
            "budget", f"it would cost {format_usd(cost)}; {format_usd(max(0, ask.budget_micro_usd))} is left"
        )
    return None


def _refuse_term(state: State, ask: Ask, option: Option, supply: Supply, at: Instant) -> Refusal | None:
    if supply.until <= at.plus(state.records.policy.migration.lease_end_notice):
        return Refusal("term", f"the holding ends {supply.until}")
    movable = ask.workload.checkpoint is not None or ask.workload.kind == "serve"
    known = ask.workload.time_limit is not None or (option.size is not None and option.size.duration > 0)
    if known and not movable and supply.until < option.ends(at):
        return Refusal(
            "term", f"the holding ends {supply.until}, before the work would; it saves no checkpoint"
        )
    return None
