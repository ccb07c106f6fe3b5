"""Prices: what was used, what was reserved, and what goes beyond."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from stargate.agreements.accrue.line import ChargeLine, LineKind, Usage
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.capacity import quantity_at
from stargate.agreements.clause import CapacityReservation, Price
from stargate.agreements.firing import absolute
from stargate.agreements.period import Period
from stargate.agreements.version import Version
from stargate.agreements.world import World, number
from stargate.base.money import micro_usd
from stargate.base.time import FOREVER, HOUR


def price_of(clause: Price, quantity: Decimal) -> Decimal:
    """What a quantity costs in all, exact, before any index."""
    if clause.price_usd is not None:
        return clause.price_usd * quantity
    if clause.tier_mode == "volume":
        tier = next(item for item in clause.tiers if item.up_to is None or quantity <= item.up_to)
        return tier.price_usd * quantity
    total, low = Decimal(0), Decimal(0)
    for tier in clause.tiers:
        high = quantity if tier.up_to is None else min(tier.up_to, quantity)
        total += tier.price_usd * max(Decimal(0), high - low)
        low = max(low, high)
    return total


def index_at(clause: Price, world: World, timeline: Timeline) -> Decimal:
    """The factor by which the price has moved; 1 without an index, or while its fact is not known."""
    if clause.index is None:
        return Decimal(1)
    fact = world.latest(clause.index.fact, timeline.last.horizon)
    value = None if fact is None else number(fact.value)
    return Decimal(1) if value is None else value / clause.index.base


def accrue_prices(timeline: Timeline, usage: Sequence[Usage]) -> list[ChargeLine]:
    """Lines for use, and for reservations: the whole of it, whether used or not, and the excess at burst price."""
    lines: list[ChargeLine] = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        spans = timeline.spans(version) if isinstance(clause, Price) else []
        if not isinstance(clause, Price) or not spans:
            continue
        used = _used(timeline, version, clause, usage)
        reservation = _reservation(timeline, version, clause)
        factor = index_at(clause, timeline.world, timeline)
        if reservation is None:
            if used:
                lines.append(_line(timeline, version, "usage", used, price_of(clause, used) * factor, "used"))
            continue
        lines.extend(_reserved(timeline, version, clause, reservation, used, factor))
    return lines


def _used(timeline: Timeline, version: Version, clause: Price, usage: Sequence[Usage]) -> Decimal:
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    metric = clause.metric or clause.unit
    return sum(
        (
            item.quantity
            for item in usage
            if item.metric == metric
            and item.party in ("", payer)
            and item.provider in ("", payee)
            and speaks(timeline, version, item.seen(), item.start)
        ),
        Decimal(0),
    )


def _reservation(timeline: Timeline, version: Version, clause: Price) -> Version | None:
    """The reservation in force that the price is for."""
    if not clause.reservation:
        return None
    ref = absolute(clause.reservation, version.home.id)
    found = (item for item in timeline.book.chart.by_ref.get(ref, ()) if timeline.spans(item))
    return next((item for item in found if isinstance(item.clause, CapacityReservation)), None)


def _reserved(
    timeline: Timeline, version: Version, clause: Price, reserved: Version, used: Decimal, factor: Decimal
) -> list[ChargeLine]:
    reservation = reserved.clause
    assert isinstance(reservation, CapacityReservation), "prices name reservations"
    held = sum((_volume(reservation, clause, span) for span in timeline.spans(reserved)), Decimal(0))
    lines = []
    start, end = timeline.last.start(reserved), timeline.last.until(reserved)
    upfront = reservation.upfront_percent / 100
    if upfront and timeline.period.holds(start) and end < FOREVER:
        whole = _volume(reservation, clause, Period(start, end))
        amount = price_of(clause, whole) * factor * upfront
        lines.append(_line(timeline, version, "reservation", whole, amount, "reserved in all, paid up front"))
    if upfront < 1 and held:
        amount = price_of(clause, held) * factor * (1 - upfront)
        lines.append(_line(timeline, version, "reservation", held, amount, "reserved, used or not"))
    excess = used - held
    if excess > 0:
        burst = clause.burst_price_usd
        amount = (price_of(clause, excess) if burst is None else burst * excess) * factor
        lines.append(_line(timeline, version, "burst", excess, amount, "used beyond the reservation"))
    return lines


def _volume(reservation: CapacityReservation, clause: Price, span: Period) -> Decimal:
    """How much a reservation holds over a span, in the unit of the price: hours count where the unit has them."""
    edges = [
        span.start,
        *(step.from_ for step in reservation.ramp if span.start < step.from_ < span.end),
        span.end,
    ]
    hourly = clause.unit.endswith("_hours") or clause.unit == "mwh"
    if not hourly:
        return max((quantity_at(reservation, edge) for edge in edges[:-1]), default=Decimal(0))
    return sum(
        (quantity_at(reservation, first) * Decimal(last - first) / HOUR for first, last in pairwise(edges)),
        Decimal(0),
    )


def _line(
    timeline: Timeline, version: Version, kind: LineKind, quantity: Decimal, amount: Decimal, says: str
) -> ChargeLine:
    clause = version.clause
    assert isinstance(clause, Price), "lines of prices"
    return ChargeLine(
        clause=version.ref,
        kind=kind,
        payer=version.party("payer", "customer"),
        payee=version.party("payee", "supplier"),
        amount_micro_usd=micro_usd(amount),
        period=timeline.period,
        says=f"{quantity.normalize():f} {clause.unit} {says}",
        quantity=quantity,
        unit=clause.unit,
        price_usd=clause.burst_price_usd if kind == "burst" else clause.price_usd,
        text_ref=clause.text_ref,
    )
