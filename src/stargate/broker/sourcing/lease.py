"""Signing: a holder's acceptance or an award becomes a lease."""

from __future__ import annotations

import msgspec

from stargate.agreements.right import Terms
from stargate.base.money import cost_micro_usd
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.fact import LeaseSigned
from stargate.broker.sourcing.records import Need, Offer
from stargate.broker.sourcing.rights import cover_left
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


def sign_holder(
    view: View, need: Need, offer: Offer, pool: Pool, terms: Terms, number: int, grounds: tuple[Ground, ...]
) -> LeaseSigned:
    """The lease that follows from exercising a right."""
    right = offer.right
    signed = _signed(view, need, pool, terms, number, grounds)
    return msgspec.structs.replace(
        signed,
        agreement=right.clause.partition("/")[0],
        clause=right.clause,
        offer=offer.id,
        grace=right.delivery_grace,
        cure=right.cure,
    )


def sign_third(
    view: View,
    need: Need,
    pool: Pool,
    terms: Terms,
    quote: str,
    number: int,
    grounds: tuple[Ground, ...],
) -> LeaseSigned:
    """The lease of a third party; where a holder failed, it stands in for that holder's chips."""
    signed = _signed(view, need, pool, terms, number, grounds)
    covers, cost, words = _cover(view, need, signed)
    return msgspec.structs.replace(
        signed,
        quote=quote,
        grace=view.sourcing_policy.delivery_grace,
        covers=covers,
        cover_cost_micro_usd=cost,
        grounds=(*signed.grounds, *words),
    )


def starting(terms: Terms, at: Instant) -> Terms:
    """The same terms; a start that has passed is now."""
    return terms if terms.start >= at else msgspec.structs.replace(terms, start=at)


def _signed(
    view: View, need: Need, pool: Pool, terms: Terms, number: int, grounds: tuple[Ground, ...]
) -> LeaseSigned:
    price = terms.price_micro_usd_per_chip_hour
    assert price is not None, "a lease has a price"
    provider = view.providers[pool.provider]
    return LeaseSigned(
        lease=f"{need.id}.l{number}",
        need=need.id,
        provider=provider.id,
        party=provider.party,
        pool=pool.id,
        chips=terms.chips,
        price_micro_usd_per_chip_hour=price,
        kind="reserved",
        start=terms.start,
        until=Instant(min(terms.start + terms.duration, FOREVER)),
        terms=terms,
        agreement=pool.agreement or "",
        grounds=grounds,
    )


def _cover(view: View, need: Need, signed: LeaseSigned) -> tuple[tuple[str, ...], int, tuple[Ground, ...]]:
    """Whose failure the lease makes good, and what that costs more than the failed deals did."""
    clauses, cost, words = [], 0, []
    duration = Duration(signed.until - signed.start)
    for clause, failure in need.failures.items():
        chips = min(cover_left(view, need, clause), signed.chips)
        if not chips:
            continue
        extra = max(0, signed.price_micro_usd_per_chip_hour - failure.price_micro_usd_per_chip_hour)
        cost += cost_micro_usd(extra, chips, duration)
        clauses.append(clause)
        words.append(
            Ground(f"stands in for {chips} chips that were accepted and not delivered", clause=clause)
        )
    return tuple(clauses), cost, tuple(words)
