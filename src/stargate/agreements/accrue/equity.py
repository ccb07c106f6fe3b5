"""Equity for a value: nothing before the event, then shares: their number fixed by a price, or as agreed."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from stargate.agreements.accrue.line import ChargeLine
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import EquityGrant
from stargate.agreements.condition import day
from stargate.agreements.world import number
from stargate.base.money import micro_usd
from stargate.base.time import Instant


def equity_quantity(clause: EquityGrant, price_usd: Decimal) -> int:
    """How many shares the value buys at the price of the event (fractions are not issued), or the number fixed."""
    if clause.shares is not None:
        return int(clause.shares)
    assert clause.value_usd is not None, "the clause has a value or a number"
    return int((clause.value_usd / price_usd).to_integral_value(rounding=ROUND_DOWN))


def accrue_equity(timeline: Timeline) -> list[ChargeLine]:
    """Shares to be issued, in the period in which all conditions are fulfilled and the price is known."""
    lines = []
    for version in timeline.book.chart.versions:
        clause = version.clause
        if not isinstance(clause, EquityGrant) or not timeline.spans(version):
            continue
        event = timeline.last.start(version)
        priced = (clause.strike_usd, event) if clause.shares is not None else _price(timeline, clause, event)
        if priced is None or not timeline.period.holds(priced[1]):
            continue
        price, fixed = priced
        quantity = equity_quantity(clause, price)
        lines.append(
            ChargeLine(
                clause=version.ref,
                kind="equity",
                payer=version.party("payer", "supplier"),
                payee=version.party("payee", "customer"),
                amount_micro_usd=0 if clause.value_usd is None else micro_usd(clause.value_usd),
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


def _price(timeline: Timeline, clause: EquityGrant, event: Instant) -> tuple[Decimal, Instant] | None:
    """The price at the event, or the first one after it; and from when both are known."""
    prices = timeline.world.believed(clause.price_fact, timeline.last.horizon)
    if not prices:
        return None
    fact = next((fact for fact in reversed(prices) if fact.valid_from <= event), prices[0])
    price = number(fact.value)
    return (price, max(event, fact.valid_from)) if price else None
