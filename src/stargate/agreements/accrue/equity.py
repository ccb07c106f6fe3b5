"""Equity for a value: nothing before the event, then a number of shares fixed by its price."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from stargate.agreements.accrue.line import ChargeLine
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import EquityGrant, many
from stargate.agreements.condition import day
from stargate.agreements.firing import absolute
from stargate.agreements.version import Version
from stargate.agreements.world import number
from stargate.base.money import micro_usd
from stargate.base.time import Instant


def equity_quantity(clause: EquityGrant, price_usd: Decimal) -> int:
    """How many shares the value buys at the price of the event; fractions are not issued."""
    return int((clause.value_usd / price_usd).to_integral_value(rounding=ROUND_DOWN))


def accrue_equity(timeline: Timeline) -> list[ChargeLine]:
    """Shares to be issued, in the period in which all conditions are fulfilled and the price is known."""
    lines = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, EquityGrant) or not timeline.spans(version):
            continue
        event = _event(timeline, version, clause)
        prices = timeline.world.believed(clause.price_fact, timeline.last.horizon)
        if event is None or not prices:
            continue
        price_fact = next((fact for fact in reversed(prices) if fact.valid_from <= event), prices[0])
        price = number(price_fact.value)
        fixed = max(event, price_fact.valid_from)
        if not price or not timeline.period.holds(fixed):
            continue
        quantity = equity_quantity(clause, price)
        lines.append(
            ChargeLine(
                clause=version.ref,
                kind="equity",
                payer=version.party("payer", "supplier"),
                payee=version.party("payee", "customer"),
                amount_micro_usd=micro_usd(clause.value_usd),
                period=timeline.period,
                says=f"{quantity:,} shares at {price} USD, fixed on {day(fixed)}",
                quantity=Decimal(quantity),
                unit="shares",
                price_usd=price,
                due=fixed,
                text_ref=clause.text_ref,
            )
        )
    return lines


def _event(timeline: Timeline, version: Version, clause: EquityGrant) -> Instant | None:
    """When the last of its conditions was fulfilled; its start where it has none."""
    firing = timeline.last.firing
    refs = [absolute(name, version.home.id) for name in many(clause.requires)]
    conditions = [
        item for ref in refs for item in timeline.book.chart.by_ref.get(ref, ()) if firing.current(item)
    ]
    conditions += [
        item for item in timeline.book.chart.conditions.get(version.ref, ()) if firing.current(item)
    ]
    met = [firing.fulfilled(item) for item in conditions]
    if any(fired is None for fired in met):
        return None
    return max((fired.at for fired in met if fired is not None), default=timeline.last.start(version))
