"""Prices: what was used, what was reserved, and what goes beyond."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec

from stargate.agreements.accrue.edges import edges
from stargate.agreements.accrue.line import TINY, ChargeLine, LineKind, Usage
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.capacity import quantity_at
from stargate.agreements.clause import CapacityReservation, Commitment, Price, ServiceLevel
from stargate.agreements.firing import absolute
from stargate.agreements.period import (
    Period,
    add_months,
    calendar_interval,
    calendar_parts,
    months_between,
)
from stargate.agreements.scope import Scope, fields_of
from stargate.agreements.version import Version
from stargate.agreements.world import number
from stargate.base.money import micro_usd
from stargate.base.time import FOREVER, HOUR, Instant


def price_of(clause: Price, quantity: Decimal) -> Decimal:
    """What a quantity costs in all, exact, before any index."""
    if clause.price_usd is not None:
        return clause.price_usd * quantity
    if clause.tier_mode == "volume":
        tier = next(item for item in clause.tiers if item.up_to is None or quantity <= item.up_to + TINY)
        return tier.price_usd * quantity
    total, low = Decimal(0), Decimal(0)
    for tier in clause.tiers:
        high = quantity if tier.up_to is None else min(tier.up_to, quantity)
        total += tier.price_usd * max(Decimal(0), high - low)
        low = max(low, high)
    return total


def factor_at(timeline: Timeline, version: Version, at: Instant) -> Decimal:
    """By how much index and escalator have moved the price at an instant; 1 while the index is not known."""
    clause = version.clause
    assert isinstance(clause, Price), "asked of prices only"
    factor = Decimal(1)
    if clause.index is not None:
        value = _fact_at(timeline, clause.index.fact, at)
        factor = Decimal(1) if value is None else value / clause.index.base
    if clause.escalator:
        years = max(0, months_between(timeline.last.start(version), at) // 12)
        factor *= (1 + clause.escalator) ** years
    return factor


def rate_at(timeline: Timeline, version: Version, at: Instant) -> Decimal | None:
    """The price of a unit used at an instant, between its bounds; None where it goes by tiers."""
    clause = version.clause
    assert isinstance(clause, Price), "asked of prices only"
    if clause.price_usd is None:
        return None
    rate = clause.price_usd * factor_at(timeline, version, at)
    if clause.floor_usd is not None:
        rate = max(rate, clause.floor_usd)
    if clause.ceiling_usd is not None:
        rate = min(rate, clause.ceiling_usd)
    others = _fact_at(timeline, clause.most_favoured_fact, at) if clause.most_favoured_fact else None
    return rate if others is None else min(rate, others)


def _fact_at(timeline: Timeline, name: str, at: Instant) -> Decimal | None:
    known = timeline.world.believed(name, timeline.last.horizon)
    fact = next((one for one in reversed(known) if one.valid_from <= at), None)
    return None if fact is None else number(fact.value)


def accrue_prices(
    timeline: Timeline, usage: Sequence[Usage], prior: Sequence[ChargeLine] = (), *, by_rate: bool = True
) -> list[ChargeLine]:
    """Lines for use, and for reservations: the whole of it, whether used or not, and the excess at burst price.

    Without `by_rate`, use at one price is left out.
    """
    lines: list[ChargeLine] = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, Price) or not timeline.spans(version):
            continue
        used = _used(timeline, version, clause, usage)
        if clause.reservation:
            reservations = _reservations(timeline, version, clause)
            lines.extend(_reserved(timeline, version, clause, reservations, used))
        elif clause.tiers:
            lines.extend(_by_tiers(timeline, version, clause, used, (*prior, *lines)))
        elif by_rate:
            lines.extend(_by_rate(timeline, version, used))
    return lines


def used_of_reserved(timeline: Timeline, usage: Sequence[Usage]) -> dict[str, Decimal]:
    """How much was used of what each price of a reservation covers, by clause, in the unit of the price."""
    found: dict[str, Decimal] = {}
    for version in timeline.book.chart.versions:
        clause = version.clause
        if isinstance(clause, Price) and clause.reservation and timeline.spans(version):
            used = sum((item.quantity for item in _used(timeline, version, clause, usage)), Decimal(0))
            found[version.ref] = found.get(version.ref, Decimal(0)) + used
    return found


def _by_rate(timeline: Timeline, version: Version, used: Sequence[Usage]) -> list[ChargeLine]:
    """A line for each price that held in the period."""
    quantities: dict[Decimal, Decimal] = {}
    for item in used:
        rate = rate_at(timeline, version, item.start)
        assert rate is not None, "tiers go another way"
        quantities[rate] = quantities.get(rate, Decimal(0)) + item.quantity
    return [
        _line(timeline, version, "usage", quantity, quantity * rate, "used", rate)
        for rate, quantity in quantities.items()
        if quantity
    ]


def _by_tiers(
    timeline: Timeline, version: Version, clause: Price, used: Sequence[Usage], prior: Sequence[ChargeLine]
) -> list[ChargeLine]:
    """Lines for each interval of the tiers, which go on from what was used in it before.

    Where commitments or levels tell use apart, by its time or by what it was for, each kind has a line of its own.
    Use fills graduated tiers in order of time; by volume all of it has the price of the last tier that is met.
    """
    lines: list[ChargeLine] = []
    points = edges(timeline)
    for interval in calendar_parts(timeline.period, clause.tier_interval):
        part = interval.meets(version.added, version.removed)
        if part is None:
            continue
        groups = _told_apart(timeline, points, [item for item in used if part.holds(item.start)])
        here = calendar_interval(part.start, clause.tier_interval)
        before = sum(
            (
                line.quantity or Decimal(0)
                for line in prior
                if (line.clause, line.kind) == (version.ref, "usage") and here.holds(line.period.start)
            ),
            Decimal(0),
        )
        whole = sum((quantity for _, _, quantity in groups), Decimal(0))
        costs = price_of(clause, before + whole) - price_of(clause, before)
        filled, exact, posted = before, Decimal(0), 0
        for start, seen, quantity in groups:
            if clause.tier_mode == "volume":
                cost = costs * quantity / whole
            else:
                cost = price_of(clause, filled + quantity) - price_of(clause, filled)
            filled += quantity
            exact += cost * factor_at(timeline, version, max(start, part.start))
            line = _line(timeline, version, "usage", quantity, Decimal(0), "used")
            lines.append(
                msgspec.structs.replace(
                    line,
                    amount_micro_usd=micro_usd(exact) - posted,  # rounded once: the lines add up
                    period=Period(max(start, part.start), part.end),
                    attributes=seen,
                )
            )
            posted = micro_usd(exact)
    return lines


def _told_apart(
    timeline: Timeline, points: Sequence[Instant], used: Sequence[Usage]
) -> list[tuple[Instant, dict[str, str], Decimal]]:
    """Use summed between edges, and over what no commitment and no level looks at; in order of time."""
    fields: set[str] = set()
    for version in timeline.book.chart.versions:
        clause = version.clause
        if isinstance(clause, Commitment | ServiceLevel):
            fields |= fields_of(clause.scope)
        if isinstance(clause, Commitment):
            fields |= {field for part in clause.eligible for field in fields_of(part.scope)}
            fields |= {"portion", "site"} if clause.portions else set()
    found: dict[tuple[Instant, tuple[tuple[str, str], ...]], Decimal] = {}
    for item in used:
        seen = tuple(sorted((name, str(value)) for name, value in item.attributes.items() if name in fields))
        start = points[bisect_right(points, item.start) - 1]
        found[start, seen] = found.get((start, seen), Decimal(0)) + item.quantity
    return [(start, dict(seen), found[start, seen]) for start, seen in sorted(found) if found[start, seen]]


def _used(timeline: Timeline, version: Version, clause: Price, usage: Sequence[Usage]) -> list[Usage]:
    payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
    metric = clause.metric or clause.unit
    return [
        item
        for item in usage
        if item.metric == metric
        and item.party in ("", payer)
        and item.provider in ("", payee)
        and speaks(timeline, version, item.seen(), item.start)
    ]


def _reservations(timeline: Timeline, version: Version, clause: Price) -> list[Version]:
    """The reservation that the price is for, in each wording that is in force in the period; else all is burst."""
    ref = absolute(clause.reservation, version.home.id)
    found = (item for item in timeline.book.chart.by_ref.get(ref, ()) if timeline.spans(item))
    return [item for item in found if isinstance(item.clause, CapacityReservation)]


def _reserved(
    timeline: Timeline,
    version: Version,
    clause: Price,
    reservations: Sequence[Version],
    used: Sequence[Usage],
) -> list[ChargeLine]:
    """What is held while both the price and the reservation are in force, and what is used beyond it."""
    lines = []
    held = Decimal(0)
    for reserved in reservations:
        reservation = reserved.clause
        assert isinstance(reservation, CapacityReservation), "prices name reservations"
        spans = [
            cut
            for span in timeline.spans(reserved)
            for own in timeline.spans(version)
            if (cut := span.meets(own.start, own.end)) is not None
        ]
        upfront = reservation.upfront_percent / 100
        if upfront:
            lines.extend(_upfront(timeline, version, reserved, upfront))
        volume = sum((_volume(reservation, clause, span) for span in spans), Decimal(0))
        held += volume
        if upfront < 1 and volume:
            amount = _cost(timeline, version, reservation, spans) * (1 - upfront)
            line = _line(timeline, version, "reservation", volume, amount, "reserved, used or not")
            lines.append(
                msgspec.structs.replace(
                    line,
                    period=Period(spans[0].start, spans[-1].end),
                    attributes=_named((*clause.scope, *reservation.scope)),
                )
            )
    excess = sum((item.quantity for item in used), Decimal(0)) - held
    if excess > 0:
        factor = factor_at(timeline, version, Instant(timeline.period.end - 1))
        burst = clause.burst_price_usd
        amount = (price_of(clause, excess) if burst is None else burst * excess) * factor
        lines.append(_line(timeline, version, "burst", excess, amount, "used beyond the reservation"))
    return lines


def _upfront(timeline: Timeline, version: Version, reserved: Version, fraction: Decimal) -> list[ChargeLine]:
    """The part of the whole reservation's price that is paid when it begins, by the price in force then.

    A reservation that an amendment changes has begun: what that changes up front, the parties settle.
    """
    clause, reservation = version.clause, reserved.clause
    assert isinstance(clause, Price), "asked of prices only"
    assert isinstance(reservation, CapacityReservation), "prices name reservations"
    start, end = timeline.last.start(reserved), timeline.last.until(reserved)
    begins = timeline.period.holds(start) and any(span.holds(start) for span in timeline.spans(version))
    goes_on = reserved.added_by and any(
        earlier.removed == reserved.added for earlier in timeline.book.chart.by_ref[reserved.ref]
    )
    if not begins or goes_on or end >= FOREVER:
        return []
    whole = Period(start, end)
    amount = _cost(timeline, version, reservation, [whole]) * fraction
    quantity = _volume(reservation, clause, whole)
    line = _line(timeline, version, "reservation", quantity, amount, "reserved in all, paid up front")
    named = _named((*clause.scope, *reservation.scope))
    return [msgspec.structs.replace(line, period=whole, portion="upfront", attributes=named)]


def _named(scope: Scope) -> dict[str, str]:
    """What a scope says of all that it covers, as the site of what is reserved."""
    return {
        item.field: str(item.values[0])
        for item in scope
        if item.operator in ("In", "Equals") and len(item.values) == 1 and not item.any_of
    }


def _cost(
    timeline: Timeline, version: Version, reservation: CapacityReservation, spans: Sequence[Period]
) -> Decimal:
    """What is held over spans costs, each part at the price that holds when it begins."""
    clause = version.clause
    assert isinstance(clause, Price), "asked of prices only"
    total = Decimal(0)
    for span in spans:
        for part in _even_parts(timeline, version, clause, span):
            volume, rate = _volume(reservation, clause, part), rate_at(timeline, version, part.start)
            tiered = (
                price_of(clause, volume) * factor_at(timeline, version, part.start) if rate is None else None
            )
            total += volume * rate if rate is not None else tiered or Decimal(0)
    return total


def _even_parts(timeline: Timeline, version: Version, clause: Price, span: Period) -> list[Period]:
    """A span, cut where the price may change: with facts, and on each anniversary."""
    edges = {span.start, span.end}
    for name in (clause.most_favoured_fact, "" if clause.index is None else clause.index.fact):
        known = timeline.world.believed(name, timeline.last.horizon) if name else ()
        edges.update(fact.valid_from for fact in known if span.holds(fact.valid_from))
    if clause.escalator:
        start = timeline.last.start(version)
        first = months_between(start, span.start) // 12
        last = months_between(start, span.end) // 12
        years = (add_months(start, 12 * year) for year in range(max(1, first), last + 1))
        edges.update(edge for edge in years if span.holds(edge))
    return [Period(one, other) for one, other in pairwise(sorted(edges))]


_POWER = {"kw": 1, "mw": 1_000, "gw": 1_000_000, "kw_months": 1, "mw_months": 1_000, "mwh": 1_000}
"""In kW; prices of power may go by another unit than the reservation's."""


def _volume(reservation: CapacityReservation, clause: Price, span: Period) -> Decimal:
    """How much a reservation holds over a span, in the unit of the price: time counts where the unit has it."""
    edges = [
        span.start,
        *(step.from_ for step in reservation.ramp if span.start < step.from_ < span.end),
        span.end,
    ]
    scale = Decimal(1)
    if reservation.unit in _POWER and clause.unit in _POWER:
        scale = Decimal(_POWER[reservation.unit]) / _POWER[clause.unit]
    if not (clause.unit.endswith(("_hours", "_months")) or clause.unit == "mwh"):
        return scale * max((quantity_at(reservation, edge) for edge in edges[:-1]), default=Decimal(0))
    time = _months if clause.unit.endswith("_months") else _hours
    return scale * sum(
        (quantity_at(reservation, first) * time(Period(first, last)) for first, last in pairwise(edges)),
        Decimal(0),
    )


def _hours(span: Period) -> Decimal:
    return Decimal(span.length) / HOUR


def _months(span: Period) -> Decimal:
    """Months of the calendar; of one that is not whole, its fraction by time."""
    return sum(
        (
            Decimal(part.length) / calendar_interval(part.start, "Monthly").length
            for part in calendar_parts(span, "Monthly")
        ),
        Decimal(0),
    )


def _line(
    timeline: Timeline,
    version: Version,
    kind: LineKind,
    quantity: Decimal,
    amount: Decimal,
    says: str,
    rate: Decimal | None = None,
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
        price_usd=clause.burst_price_usd if kind == "burst" else rate or clause.price_usd,
        text_ref=clause.text_ref,
    )
