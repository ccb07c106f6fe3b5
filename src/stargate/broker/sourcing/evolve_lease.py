"""Quotes and leases after a fact: received, signed, delivered, failed, ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stargate.base.time import Instant
from stargate.broker.sourcing import fact as facts
from stargate.broker.sourcing.evolve_need import prolong
from stargate.broker.sourcing.records import (
    Failure,
    Lease,
    Quote,
    SourcingState,
)
from stargate.broker.sourcing.timers import arm, disarm, look
from stargate.broker.sourcing.transitions import LEASE, QUOTE, step

Handlers = dict[type, Callable[[SourcingState, Any, Instant], None]]


def _quote_received(sourcing: SourcingState, fact: facts.QuoteReceived, at: Instant) -> None:
    assert fact.quote not in sourcing.quotes, f"{fact.quote} was received already"
    need = sourcing.needs[fact.need]
    sourcing.quotes[fact.quote] = Quote(
        id=fact.quote,
        need=fact.need,
        provider=fact.provider,
        party=fact.party,
        pool=fact.pool,
        terms=fact.terms,
        received_at=at,
        valid_until=fact.valid_until,
        quoted_by=fact.quoted_by,
        offer=fact.offer,
        status=step(QUOTE, "", facts.QuoteReceived),  # type: ignore[arg-type]  # only statuses
    )
    need.quotes.append(fact.quote)
    arm(sourcing, fact.valid_until, "quote_end", fact.quote)
    if need.status == "market" and need.market_closes_at is None:
        look(sourcing, need, at)


def _quote_ended(sourcing: SourcingState, fact: facts.QuoteEnded, at: Instant) -> None:
    quote = sourcing.quotes[fact.quote]
    quote.status = step(QUOTE, quote.status, facts.QuoteEnded, fact.outcome)  # type: ignore[assignment]
    disarm(sourcing, quote.valid_until, "quote_end", quote.id)


def _lease_signed(sourcing: SourcingState, fact: facts.LeaseSigned, at: Instant) -> None:
    assert fact.lease not in sourcing.leases, f"{fact.lease} was signed already"
    need = sourcing.needs[fact.need]
    assert need.status in {"asking", "market"}, f"{need.id} is {need.status}"
    assert 0 < fact.chips <= need.missing_chips, f"{fact.lease} is for more than is missing"
    assert fact.start < fact.until, f"{fact.lease} ends before it starts"
    lease = Lease(
        id=fact.lease,
        need=fact.need,
        provider=fact.provider,
        party=fact.party,
        pool=fact.pool,
        chips=fact.chips,
        ordered_chips=fact.chips,
        price_micro_usd_per_chip_hour=fact.price_micro_usd_per_chip_hour,
        kind=fact.kind,
        start=fact.start,
        until=fact.until,
        signed_at=at,
        agreement=fact.agreement,
        clause=fact.clause,
        offer=fact.offer,
        quote=fact.quote,
        terms=fact.terms,
        grace=fact.grace,
        cure=fact.cure,
        covers=fact.covers,
        cover_cost_micro_usd=fact.cover_cost_micro_usd,
    )
    sourcing.leases[lease.id] = lease
    need.leases.append(lease.id)
    need.held_chips += lease.ordered_chips
    prolong(sourcing, need, lease.until)
    _count_leased(sourcing, lease.pool, lease.ordered_chips)
    arm(sourcing, lease.start, "lease_start", lease.id)
    arm(sourcing, lease.until, "lease_end", lease.id)
    look(sourcing, need, at)


def _count_leased(sourcing: SourcingState, pool: str, chips: int) -> None:
    total = sourcing.leased_chips.get(pool, 0) + chips
    assert total >= 0, f"{pool}: more chips come back than were leased"
    if total:
        sourcing.leased_chips[pool] = total
    else:
        sourcing.leased_chips.pop(pool, None)


def _lease(sourcing: SourcingState, id: str, fact: type, outcome: str = "") -> Lease:
    lease = sourcing.leases[id]
    lease.status = step(LEASE, lease.status, fact, outcome)  # type: ignore[assignment]  # only statuses
    return lease


def _delivered(sourcing: SourcingState, lease: Lease, chips: int) -> None:
    lease.chips = chips
    if chips < lease.ordered_chips:
        return
    _stop_delivery(sourcing, lease)
    lease.delivery = "delivered"


def _stop_delivery(sourcing: SourcingState, lease: Lease) -> None:
    disarm(sourcing, lease.start, "lease_start", lease.id)
    disarm(sourcing, lease.deliver_by, "delivery_end", lease.id)
    disarm(sourcing, lease.cure_until, "cure_end", lease.id)
    lease.deliver_by = lease.cure_until = None


def _lease_activated(sourcing: SourcingState, fact: facts.LeaseActivated, at: Instant) -> None:
    lease = _lease(sourcing, fact.lease, facts.LeaseActivated)
    assert 0 < fact.chips <= lease.ordered_chips, f"{lease.id}: more is delivered than was ordered"
    _delivered(sourcing, lease, fact.chips)


def _lease_resized(sourcing: SourcingState, fact: facts.LeaseResized, at: Instant) -> None:
    lease = _lease(sourcing, fact.lease, facts.LeaseResized)
    assert 0 < fact.chips <= fact.ordered_chips <= lease.ordered_chips, f"{lease.id} cannot outgrow its order"
    given_up = lease.ordered_chips - fact.ordered_chips
    lease.ordered_chips = fact.ordered_chips
    sourcing.needs[lease.need].held_chips -= given_up
    _count_leased(sourcing, lease.pool, -given_up)
    _delivered(sourcing, lease, fact.chips)


def _delivery_due(sourcing: SourcingState, fact: facts.DeliveryDue, at: Instant) -> None:
    lease = _lease(sourcing, fact.lease, facts.DeliveryDue)
    _stop_delivery(sourcing, lease)
    lease.delivery = "due"
    lease.deliver_by = fact.deliver_by
    arm(sourcing, fact.deliver_by, "delivery_end", lease.id)


def _delivery_failed(sourcing: SourcingState, fact: facts.DeliveryFailed, at: Instant) -> None:
    lease = _lease(sourcing, fact.lease, facts.DeliveryFailed)
    _stop_delivery(sourcing, lease)
    lease.delivery = "curing"
    lease.cure_until = fact.cure_until
    arm(sourcing, fact.cure_until, "cure_end", lease.id)


def _cover_granted(sourcing: SourcingState, fact: facts.CoverGranted, at: Instant) -> None:
    need = sourcing.needs[fact.need]
    before = need.failures.get(fact.clause)
    chips = fact.chips + (before.chips if before is not None else 0)
    need.failures[fact.clause] = Failure(chips, fact.price_micro_usd_per_chip_hour)


def _lease_ended(sourcing: SourcingState, fact: facts.LeaseEnded, at: Instant) -> None:
    lease = _lease(sourcing, fact.lease, facts.LeaseEnded, fact.outcome)
    _stop_delivery(sourcing, lease)
    disarm(sourcing, lease.until, "lease_end", lease.id)
    if fact.outcome == "failed":
        lease.delivery = "failed"
    lease.ended_at = at
    lease.reason = fact.reason
    sourcing.needs[lease.need].held_chips -= lease.ordered_chips
    _count_leased(sourcing, lease.pool, -lease.ordered_chips)


HANDLERS: Handlers = {
    facts.QuoteReceived: _quote_received,
    facts.QuoteEnded: _quote_ended,
    facts.LeaseSigned: _lease_signed,
    facts.LeaseActivated: _lease_activated,
    facts.LeaseResized: _lease_resized,
    facts.DeliveryDue: _delivery_due,
    facts.DeliveryFailed: _delivery_failed,
    facts.CoverGranted: _cover_granted,
    facts.LeaseEnded: _lease_ended,
}
