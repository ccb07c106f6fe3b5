"""Holders of equal rank who are asked together: when all have answered, each gets its part."""

from __future__ import annotations

import msgspec

from stargate.agreements.refusal import Claim, share
from stargate.base.time import Instant
from stargate.broker.sourcing.answer import Taking, take
from stargate.broker.sourcing.fact import OfferEnded, SourcingFact
from stargate.broker.sourcing.lease import starting
from stargate.broker.sourcing.offer import end
from stargate.broker.sourcing.permit import permit
from stargate.broker.sourcing.records import Need, Offer
from stargate.broker.sourcing.view import View


def allocate(view: View, need: Need, waiting: tuple[Offer, ...], at: Instant) -> tuple[SourcingFact, ...]:
    """Leases for all who subscribed, by weight; empty while somebody has still to answer."""
    if any(offer.status != "subscribed" for offer in waiting):
        return ()
    closed = tuple(ended for offer in waiting if (ended := _closed(view, need, offer, at)) is not None)
    if closed:
        return closed  # the others share when these are gone
    per_node = need.requirement.chips_per_node
    claims = tuple(Claim(offer.right.clause, offer.right.weight, offer.taken_chips) for offer in waiting)
    given = share(need.missing_chips, per_node, claims)
    facts: list[SourcingFact] = []
    number = len(need.leases)
    for offer in waiting:
        chips = given[offer.right.clause]
        if not chips:
            says = f"nothing was left for {offer.right.holder} after whole nodes were shared out"
            facts.append(end(offer, "unallocated", says))
            continue
        number += 1
        facts += take(view, need, offer, _taking(view, offer, chips, at), at, number)
    return tuple(facts)


def _closed(view: View, need: Need, offer: Offer, at: Instant) -> OfferEnded | None:
    """The end of a subscription whose place was closed, or was taken from the catalog, while others thought."""
    pool = view.catalog_pools.get(offer.pool)
    if pool is None:
        return end(offer, "void", f"pool {offer.pool} is no longer in the catalog")
    ground = permit(view, need, pool, offer.taken_chips, at).ground
    return None if ground is None else end(offer, "void", f"{pool.id} may no longer serve: {ground.says}")


def _taking(view: View, offer: Offer, chips: int, at: Instant) -> Taking:
    terms = offer.holder_terms
    assert terms is not None, f"{offer.id} was subscribed with terms"
    terms = starting(msgspec.structs.replace(terms, chips=chips), at)
    return Taking(chips, view.catalog_pools[offer.pool], terms)
